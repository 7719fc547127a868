import asyncio


def show(*values):
    print(*(str(value).lower() if isinstance(value, bool) else value for value in values), sep="\t")


async def main():
    gun = asyncio.Event()

    async def runner(lane, seconds):
        print(f"lane {lane} is ready")
        await gun.wait()
        await asyncio.sleep(seconds)
        print(f"lane {lane} arrives")

    runners = [asyncio.create_task(runner(lane, seconds)) for lane, seconds in ((1, 0.04), (2, 0.02), (3, 0.03))]
    await asyncio.sleep(0.02)
    show("bang", gun.is_set())
    gun.set()
    await asyncio.gather(*runners)
    await gun.wait()
    gun.clear()
    show(gun.is_set())


asyncio.run(main())
