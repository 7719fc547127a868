import asyncio


async def task(number, seconds):
    print(f"Task {number} started")
    await asyncio.sleep(seconds)
    print(f"Task {number} completed")
    return f"Result {number}"


async def main():
    results = await asyncio.gather(task(1, 0.2), task(2, 0.1))
    print(", ".join(results))


asyncio.run(main())
