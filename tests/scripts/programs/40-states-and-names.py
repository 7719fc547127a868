import asyncio


class Problem(Exception):
    code = 7


def show(*values):
    texts = (str(value).lower() if isinstance(value, bool) else "nil" if value is None else value for value in values)
    print(*texts, sep="\t")


async def work():
    await asyncio.sleep(0.02)
    return "fruit", 3


async def fail():
    raise Problem


async def say_never():
    print("never")


async def main():
    task = asyncio.create_task(work())
    task.set_name("picker")
    show(asyncio.current_task().get_name().lower(), task.get_name(), task.done(), task.cancelled())
    try:
        task.result()
    except asyncio.InvalidStateError:
        show(False)
    show(*await task)
    show(task.done(), task.cancelled(), *task.result())
    show(task.exception())

    broken = asyncio.create_task(fail())
    await asyncio.wait([broken])
    try:
        broken.result()
    except Problem as error:
        show(broken.exception().code, error is broken.exception())

    never = asyncio.create_task(say_never())
    show(never.cancel(), never.done())
    await asyncio.sleep(0)
    try:
        never.exception()
    except asyncio.CancelledError:
        show(never.done(), never.cancelled(), "cancelled")


asyncio.run(main())
