import asyncio


async def countdown(start):
    for i in range(start, 0, -1):
        await asyncio.sleep(0.03)
        yield i


async def watch(name, start):
    async for i in countdown(start):
        print(f"{name} {i}")
    print(f"{name} lifts off")


async def late():
    await asyncio.sleep(0.015)
    await watch("beta", 2)


async def main():
    await asyncio.gather(watch("alpha", 3), late())
    total = 0
    async for i in countdown(3):
        total += i
    print(total)


asyncio.run(main())
