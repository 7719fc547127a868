import asyncio


async def measure(place, seconds):
    await asyncio.sleep(seconds)
    return place


async def main():
    for result in asyncio.as_completed([measure("attic", 0.06), measure("cellar", 0.02), measure("hall", 0.04)]):
        print(await result)


asyncio.run(main())
