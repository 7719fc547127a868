import asyncio


def show(*values):
    print(*(str(value).lower() if isinstance(value, bool) else value for value in values), sep="\t")


async def precious():
    await asyncio.sleep(0.04)
    print("precious work is done")
    return "result"


async def attempt(task):
    try:
        show(True, await task)
    except asyncio.CancelledError:
        show(False, "cancelled")


async def main():
    inner = asyncio.create_task(precious())

    async def shielded():
        return await asyncio.shield(inner)

    waiter = asyncio.create_task(shielded())
    await asyncio.sleep(0.01)
    waiter.cancel()
    await attempt(waiter)
    show(inner.done(), inner.cancelled())
    show(await inner)
    open_one = asyncio.create_task(precious())

    async def wait_for_it():
        return await open_one

    waiter = asyncio.create_task(wait_for_it())
    await asyncio.sleep(0.01)
    waiter.cancel()
    await attempt(waiter)
    show(open_one.done(), open_one.cancelled())


asyncio.run(main())
