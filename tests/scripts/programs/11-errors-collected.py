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
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        print(f"Error: {result}" if isinstance(result, Exception) else result)


asyncio.run(main())
