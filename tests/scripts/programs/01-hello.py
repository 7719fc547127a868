import asyncio


async def fun():
    print("first line")
    await asyncio.sleep(0.2)
    print("second line")


asyncio.run(fun())
print("hello world!!")
