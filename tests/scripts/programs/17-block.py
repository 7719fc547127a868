import asyncio
import time

ticks = 0


async def tick():
    global ticks
    while True:
        await asyncio.sleep(0.01)
        ticks += 1


async def main():
    ticker = asyncio.create_task(tick())
    await asyncio.sleep(0)
    time.sleep(0.3)
    print(f"ticks meanwhile: {ticks}")
    ticker.cancel()
    try:
        await ticker
    except asyncio.CancelledError:
        print("true")


asyncio.run(main())
