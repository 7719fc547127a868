import asyncio


async def call(number, seconds):
    print(f"Calling API {number}")
    await asyncio.sleep(seconds)
    if number == 2:
        raise Exception("API failed!")
    print(f"Received from API {number}")
    return f"Result {number}"


async def main():
    tasks = [asyncio.create_task(call(i, delay)) for i, delay in enumerate([0.1, 0.2, 0.3], 1)]
    await asyncio.gather(*tasks)
    print("never")


asyncio.run(main())
