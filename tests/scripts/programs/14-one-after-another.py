import asyncio


async def show(text, seconds):
    await asyncio.sleep(seconds)
    print(text)


async def main():
    await show("First", 0.2)
    await show("Second", 0.2)
    await show("Third", 0.2)


asyncio.run(main())
