import asyncio


async def work(number, seconds):
    await asyncio.sleep(seconds)
    return f"Task {number} done"


async def main():
    tasks = [asyncio.create_task(work(number, seconds)) for number, seconds in ((1, 0.3), (2, 0.1), (3, 0.2))]
    results = []
    for task in tasks:
        results.append(await task)
    print(", ".join(results))


asyncio.run(main())
