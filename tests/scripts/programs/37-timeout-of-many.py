import asyncio


async def step(name, seconds):
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        print(name, "cancelled", sep="\t")
        raise
    print(name, "finished", sep="\t")
    return name


async def main():
    async def together():
        return await asyncio.gather(step("quick", 0.02), step("slow", 0.5), step("slower", 0.9))

    try:
        await asyncio.wait_for(together(), 0.03)
    except asyncio.TimeoutError:
        print("false", "timed out", sep="\t")
    await asyncio.sleep(0.01)
    print(await asyncio.wait_for(step("in time", 0), 0.03))


asyncio.run(main())
