import asyncio


async def work(name):
    print(f"{name} begins")
    total = 0
    for i in range(1, 1001):
        total += i
    print(f"{name} ends with {total}")


async def main():
    a, b = asyncio.create_task(work("A")), asyncio.create_task(work("B"))
    await a
    await b


asyncio.run(main())
