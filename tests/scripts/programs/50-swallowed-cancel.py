import asyncio


def show(*values):
    print(*(str(value).lower() if isinstance(value, bool) else value for value in values), sep="\t")


async def stubborn():
    for attempt in range(1, 4):
        try:
            await asyncio.sleep(0.03)
            show("stubborn", attempt, "slept")
        except asyncio.CancelledError:
            show("stubborn", attempt, "cancelled")
    return "ended by itself"


async def own():
    asyncio.current_task().cancel()
    print("still runs")
    await asyncio.sleep(0)
    print("never")


async def main():
    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0.01)
    show(task.cancel())
    show(task.cancel())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    show(await task, task.cancelled())
    await asyncio.sleep(0)
    try:
        show(True, await asyncio.create_task(own()))
    except asyncio.CancelledError:
        show(False, "cancelled")


asyncio.run(main())
