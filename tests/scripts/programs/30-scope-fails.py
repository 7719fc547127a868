import asyncio


def show(*values):
    print(*(str(value).lower() if isinstance(value, bool) else value for value in values), sep="\t")


async def child(name, seconds, fails=False):
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        print(f"{name} was cancelled")
        raise
    if fails:
        raise ValueError(f"{name} failed")
    print(f"{name} is done")


async def main():
    try:
        async with asyncio.TaskGroup() as s:
            s.create_task(child("first", 0.01))
            s.create_task(child("second", 0.02, True))
            s.create_task(child("third", 0.03))
            try:
                await asyncio.sleep(1)
            except asyncio.CancelledError:
                show("the body", False, "cancelled")
                raise
    except BaseExceptionGroup as group:
        show(False, group.exceptions[0])
    try:
        async with asyncio.TaskGroup() as s:
            s.create_task(child("fourth", 0.01))
            await asyncio.sleep(0)
            raise ValueError("the body failed")
    except BaseExceptionGroup as group:
        show(False, group.exceptions[0])
    await asyncio.sleep(0.01)
    print("the program goes on")


asyncio.run(main())
