import asyncio


async def main():
    gate = asyncio.Event()

    async def worker(name):
        try:
            await gate.wait()
        except asyncio.CancelledError:
            print(name, "true", sep="\t")
            raise

    first, second = asyncio.create_task(worker("first")), asyncio.create_task(worker("second"))

    async def follower():
        return await second

    async def gathers():
        await asyncio.gather(follower(), first, second)

    every = asyncio.create_task(gathers())
    for _ in range(3):
        await asyncio.sleep(0)
    every.cancel()
    await asyncio.wait([every])
    print(*(str(task.cancelled()).lower() for task in (every, first, second)), sep="\t")


asyncio.run(main())
