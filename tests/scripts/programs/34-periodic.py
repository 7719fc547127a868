import asyncio


async def every(seconds, f):
    while True:
        f()
        await asyncio.sleep(seconds)


async def main():
    ticks = tocks = 0

    def on_tick():
        nonlocal ticks
        ticks += 1
        print(f"tick {ticks}")

    def on_tock():
        nonlocal tocks
        tocks += 1
        print(f"tock {tocks}")

    tick = asyncio.create_task(every(0.04, on_tick))
    await asyncio.sleep(0.02)
    tock = asyncio.create_task(every(0.08, on_tock))
    await asyncio.sleep(0.2)
    tick.cancel()
    tock.cancel()
    await asyncio.gather(tick, tock, return_exceptions=True)
    print(ticks, tocks, sep="\t")


asyncio.run(main())
