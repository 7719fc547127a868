import asyncio


async def main():
    beat = asyncio.Event()

    async def watchdog():
        while True:
            try:
                await asyncio.wait_for(beat.wait(), 0.05)
            except asyncio.TimeoutError:
                print("no heartbeat: timed out")
                return "barked"
            print("heartbeat")
            beat.clear()

    async def heart():
        for _ in range(3):
            await asyncio.sleep(0.02)
            beat.set()
        await asyncio.sleep(1)

    dog, patient = asyncio.create_task(watchdog()), asyncio.create_task(heart())
    print(await dog)
    patient.cancel()
    await asyncio.sleep(0.02)
    print(str(patient.cancelled()).lower())


asyncio.run(main())
