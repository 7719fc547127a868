import asyncio


def show(*values):
    print(*(str(value).lower() if isinstance(value, bool) else value for value in values), sep="\t")


async def transfer():
    print("open")
    try:
        await asyncio.sleep(1)
        print("never")
    except BaseException as problem:
        print(f"closing, because of: {'cancelled' if isinstance(problem, asyncio.CancelledError) else problem}")
        await asyncio.sleep(0.02)
        print("closed")
        raise


async def main():
    task = asyncio.create_task(transfer())
    await asyncio.sleep(0.02)
    show("cancel", task.cancel(), task.done())
    try:
        show(True, await task)
    except asyncio.CancelledError:
        show(False, "cancelled")
    show(task.cancelled(), task.cancel())


asyncio.run(main())
