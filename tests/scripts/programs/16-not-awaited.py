import asyncio


async def background():
    print("in the background")
    await asyncio.sleep(0.2)
    print("never")


async def main():
    task = asyncio.create_task(background())
    await asyncio.sleep(0.1)
    return task


asyncio.run(main())
