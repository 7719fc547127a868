import asyncio
import sys


async def call(number, seconds):
    print(f"Calling API {number}")
    await asyncio.sleep(seconds)
    print(f"Received from API {number}")
    return f"Result {number}"


async def main():
    delays = sys.argv[1:] or [0.2, 0.3, 0.1]
    tasks = [asyncio.create_task(call(i, float(delay))) for i, delay in enumerate(delays, 1)]
    print(", ".join(await asyncio.gather(*tasks)))


asyncio.run(main())
