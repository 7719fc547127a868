import asyncio


async def show(text, seconds):
    await asyncio.sleep(seconds)
    print(text)


async def main():
    tasks = [asyncio.create_task(show(text, 0.2)) for text in ("First", "Second", "Third")]
    for task in tasks:
        await task


asyncio.run(main())
