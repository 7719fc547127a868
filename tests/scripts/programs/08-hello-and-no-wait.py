import asyncio


async def slow_hello():
    print("Saying hello")
    await asyncio.sleep(0.3)
    print("done")


async def at_once():
    print("I never wait")


async def main():
    hello = asyncio.create_task(slow_hello())
    await at_once()
    await hello


asyncio.run(main())
