import asyncio


def show(*values):
    print(*(str(value).lower() if isinstance(value, bool) else value for value in values), sep="\t")


async def probe(name, seconds, problem=None):
    await asyncio.sleep(seconds)
    if problem:
        raise ValueError(problem)
    return name


async def main():
    tasks = [asyncio.create_task(probe("a", 0.01)), asyncio.create_task(probe("b", 0.02, "b is down")),
             asyncio.create_task(probe("c", 0.05))]

    def report(done_and_pending):
        done, pending = (sorted(tasks, key=lambda task: task.get_name()) for tasks in done_and_pending)
        for task in done:
            try:
                show(task.get_name().lower(), "ended", True, task.result())
            except ValueError as error:
                show(task.get_name().lower(), "ended", False, error)
        for task in pending:
            show(task.get_name().lower(), "runs")

    report(await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED))
    report(await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION))
    report(await asyncio.wait(tasks, timeout=0.01))
    report(await asyncio.wait(tasks))


asyncio.run(main())
