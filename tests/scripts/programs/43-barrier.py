import asyncio


async def main():
    waiting, gate = 0, asyncio.Event()

    async def meet():
        nonlocal waiting, gate
        waiting += 1
        if waiting == 3:
            waiting = 0
            opened, gate = gate, asyncio.Event()
            opened.set()
        else:
            await gate.wait()

    async def hiker(name, seconds):
        for day in (1, 2):
            await asyncio.sleep(seconds)
            print(f"{name} is at the hut on day {day}")
            await meet()
            await asyncio.sleep(0)
            print(f"{name} goes on")

    await asyncio.gather(hiker("Ann", 0.015), hiker("Ben", 0.03), hiker("Cem", 0.045))


asyncio.run(main())
