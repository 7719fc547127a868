import asyncio


async def greet():
    print("Start")
    await asyncio.sleep(0.2)
    print("End")


async def main():
    print(1)
    await greet()
    print(2)


asyncio.run(main())
