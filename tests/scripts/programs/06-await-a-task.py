import asyncio


async def greet():
    print("Start")
    await asyncio.sleep(0.2)
    print("End")


async def main():
    print(1)
    task = asyncio.create_task(greet())
    print(2)
    await task


asyncio.run(main())
