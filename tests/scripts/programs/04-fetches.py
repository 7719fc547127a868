import asyncio


async def fetch(what, seconds):
    print(f"Fetching {what}")
    await asyncio.sleep(seconds)
    print(f"Got {what}")
    return f"{what} data"


async def main():
    weather = asyncio.create_task(fetch("weather", 0.2))
    news = asyncio.create_task(fetch("news", 0.3))
    rates = asyncio.create_task(fetch("rates", 0.1))
    print(f"{await weather}, {await news}, {await rates}")


asyncio.run(main())
