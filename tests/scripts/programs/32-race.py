import asyncio


def show(*values):
    print(*(str(value).lower() if isinstance(value, bool) else value for value in values), sep="\t")


async def mirror(name, seconds):
    await asyncio.sleep(seconds)
    return f"from {name}"


async def main():
    tasks = [asyncio.create_task(mirror(name, seconds))
             for name, seconds in (("Vienna", 0.09), ("Oslo", 0.05), ("Porto", 0.07))]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    show(len(done), len(pending), next(iter(done)).result())
    for task in pending:
        task.cancel()
    await asyncio.wait(pending)
    for task in tasks:
        show(task.get_name().lower(), task.cancelled())


asyncio.run(main())
