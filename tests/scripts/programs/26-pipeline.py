import asyncio


async def main():
    raw, squared = asyncio.Queue(1), asyncio.Queue(1)

    async def numbers():
        for i in range(1, 6):
            await raw.put(i)
            print(f"made {i}")
        await raw.put(None)

    async def square():
        while (n := await raw.get()) is not None:
            await asyncio.sleep(0.02)
            await squared.put(n * n)
            print(f"squared {n}")
        await squared.put(None)

    async def add():
        total = 0
        while (n := await squared.get()) is not None:
            await asyncio.sleep(0.05)
            total += n
            print(f"sum {total}")
        return total

    results = await asyncio.gather(numbers(), square(), add())
    print(f"in all {results[2]}")


asyncio.run(main())
