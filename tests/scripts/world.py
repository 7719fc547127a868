"""The names that random programs use, for asyncio (prelude.lua is the same for heddle), and what became of one."""

import asyncio
import sys
import warnings

import departures
from virtual import Deadlock, OrderedSet, TooLong, VirtualLoop, error_of

warnings.simplefilter("ignore")  # of coroutines that were never awaited
sys.unraisablehook = lambda unraisable: None

# What asyncio raises at wrong use; other errors are mistakes of the generator.
REFUSALS = (RuntimeError, ValueError, asyncio.InvalidStateError)


class Failure(Exception):
    def __init__(self, value):
        super().__init__(value)
        self.value = value


class World:
    """One program's: what it said, and its global names."""

    def __init__(self):
        self.lines = []
        self.muted = False
        self.recursion = False
        self.bug = None
        self.known_tasks = []
        self.known_scopes = []

    def names(self):
        own = ("say known known_at know_scope scope_at spawn_in collected rescue".split())
        names = {name: getattr(self, name) for name in own}
        names.update(asyncio=asyncio, Failure=Failure, attempt=attempt, first_of=first_of, cancel=cancel, scope=scope, try_put=try_put,
                     try_get=try_get, lock_within=lock_within, acquire_within=acquire_within)
        return names

    def name(self, task):
        name = task.get_name()
        return f"task-{task.get_loop().numbers[task]}" if name.startswith("Task-") else name

    def show(self, value):
        if isinstance(value, str):
            return value
        if isinstance(value, bool) or value is None:
            return {True: "true", False: "false", None: "nil"}[value]
        if isinstance(value, (list, OrderedSet)):
            return "[" + " ".join(map(self.show, value)) + "]"
        if isinstance(value, asyncio.Task):
            return self.name(value)
        if isinstance(value, BaseException):
            return self.show_error(value)
        return str(value)

    def show_error(self, error):
        if isinstance(error, Failure):
            return error.value if isinstance(error.value, str) else f"{{{error.value}}}"
        if isinstance(error, asyncio.CancelledError):
            return "cancelled"
        if isinstance(error, asyncio.TimeoutError):
            return "timed out"
        if isinstance(error, RecursionError):
            self.recursion = True
        elif not isinstance(error, REFUSALS):
            self.bug = error
        return "refused"

    def say(self, label, *values):
        if self.muted:
            return
        flat = []
        for value in values:
            flat += value if isinstance(value, tuple) else [value]
        while flat and flat[-1] is None:
            flat.pop()
        task = asyncio.current_task()
        text = " ".join(map(self.show, flat)) or "nil"
        self.lines.append(f"{asyncio.get_running_loop().now} {self.name(task)} {label} {text}")

    def known(self, task):
        self.known_tasks.append(task)
        return task

    def known_at(self, i):
        return self.known_tasks[i % len(self.known_tasks)]

    def know_scope(self, scope):
        self.known_scopes.append(scope)

    def scope_at(self, i):
        return self.known_scopes[i % len(self.known_scopes)] if self.known_scopes else None

    def spawn_in(self, scope, coroutine):
        return self.known(scope.create_task(coroutine)) if scope else None

    async def rescue(self, times):
        for _ in range(times):
            await asyncio.sleep(25)
            for task in list(self.known_tasks):
                cancel(task)

    def collected(self, results):
        return [("failed " if isinstance(value, BaseException) else "") + self.show(value) for value in first_of(results)]


def first_of(results):
    return [value[0] if isinstance(value, tuple) else value for value in results]


def cancel(task):
    """asyncio forgets that nobody asked for a failed task's error when someone cancels it afterwards: a departure."""
    return not task.done() and task.cancel()


async def attempt(task):
    try:
        return True, await task
    except BaseException as error:
        return False, error


class scope:
    """A TaskGroup that raises its first error, not all of them."""

    def __init__(self):
        self.group = asyncio.TaskGroup()

    async def __aenter__(self):
        return await self.group.__aenter__()

    async def __aexit__(self, *error):
        try:
            return await self.group.__aexit__(*error)
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None


def try_put(queue, value):
    try:
        queue.put_nowait(value)
        return True
    except asyncio.QueueFull:
        return False


def try_get(queue):
    try:
        return True, queue.get_nowait()
    except asyncio.QueueEmpty:
        return (False,)


async def lock_within(ms, lock):
    await asyncio.wait_for(lock.acquire(), ms)
    await asyncio.sleep(1)
    lock.release()


async def acquire_within(ms, semaphore):
    await asyncio.wait_for(semaphore.acquire(), ms)
    await asyncio.sleep(1)
    semaphore.release()


class Outcome:
    """What a program did.

    lines: what it said; `whole` says whether these are all, or only those until a departure began;
    status: "ok", "failed TEXT" or "deadlock"; still_ran, not_awaited: names of tasks; not_compared: those of which the latter says nothing;
    departure: the name in departures.py of what makes it impossible to compare, or None."""

    def __init__(self, world, loop, status, departure):
        self.status = status
        self.more_findings = False
        self.departure = departure
        self.whole = not departure
        self.lines = world.lines
        self.still_ran = loop.left
        compared = (loop.done_before_the_end or set()) - loop.asked_in_passing
        self.not_awaited = sorted(world.name(task) for task in compared if task.done() and task._log_traceback)
        self.not_compared = {world.name(task) for task in loop.tasks if task not in compared}


def run(source):
    """Runs a program as asyncio.run does; an Outcome."""
    world = World()
    loop = VirtualLoop(world)
    names = world.names()
    exec(compile(source, "program", "exec"), names)

    async def start():
        world.known(asyncio.current_task())
        await names["main"]()

    status, departure = "ok", None
    try:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            try:
                runner.run(start())
            except Deadlock:
                status, departure = "deadlock", "deadlock"
                world.muted = True
            except TooLong:
                raise
            except BaseException as error:
                status = f"failed {world.show_error(error)}"
            said = len(world.lines)
    except Deadlock:
        departure = departure or "deadlock at the end"
    except TooLong:
        departure = departures.TOO_LONG
    except RecursionError:
        departure = "circle"
    world.muted = True
    names.clear()
    for task in loop.tasks:
        end(task.get_coro())
    for error in filter(None, map(error_of, loop.tasks)):
        world.show_error(error)
    if world.bug:
        raise world.bug
    if world.recursion or loop.recursion:
        departure = "circle"
    elif any(task._asyncio_future_blocking for task in loop.tasks):
        departure = "itself"
    if departure == "deadlock at the end":
        del world.lines[said:]
    return Outcome(world, loop, status, departure)


def end(coroutine):
    """Ends what a program left suspended. It may take GeneratorExit for an error like others, and go on; but without its global
    names it does not come far: neither here nor where garbage collection ends the rest, in the middle of another program."""
    for _ in range(200):
        try:
            return coroutine.close()
        except BaseException:
            continue
