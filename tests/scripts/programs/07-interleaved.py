import asyncio


async def count(words, first):
    await asyncio.sleep(first)
    for word in words:
        print(word)
        await asyncio.sleep(0.3)


async def main():
    await asyncio.gather(count([1, 2, 3], 0), count(["one", "two", "three"], 0.1))


asyncio.run(main())
