"""asyncio under a virtual clock.

Time is counted in whole milliseconds: `asyncio.sleep(3)` sleeps three of them, and nothing is rounded. The clock stands still
while something can run, and then jumps to the next deadline. asyncio leaves two orders open: that of timers which end at the
same time, and that of sets. Here both are the order of creation, as they are in heddle; apart from that this is CPython's
asyncio, with its tasks in C."""

import asyncio
import asyncio.base_events
import asyncio.taskgroups
import asyncio.tasks
import collections
import heapq
import itertools

TURNS = 20000  # of the loop, at most


class Deadlock(BaseException):
    """Nothing can run, and nothing will."""


class TooLong(BaseException):
    """More turns than a program of ours should take."""


class OrderedSet(collections.abc.MutableSet):
    def __init__(self, items=()):
        self.items = dict.fromkeys(items)

    def __contains__(self, item):
        return item in self.items

    def __iter__(self):
        return iter(self.items)

    def __len__(self):
        return len(self.items)

    def add(self, item):
        self.items[item] = None

    def discard(self, item):
        self.items.pop(item, None)


class VirtualLoop(asyncio.base_events.BaseEventLoop):
    def __init__(self, world):
        super().__init__()
        self.world = world
        self.now = 0
        self.sequence = itertools.count()
        self.turns = 0
        self.tasks = []  # all that there ever were: asyncio itself holds them by weak references only
        self.numbers = {}  # of tasks
        self.left = []  # names of those that still ran at the end of main
        self.recursion = False  # was too deep in a callback, where nobody else sees it
        self.set_exception_handler(lambda loop, context: self.on_exception(context))
        self.done_before_the_end = None  # tasks that had ended when main had
        self.asked_in_passing = set()

    def on_exception(self, context):
        self.recursion = self.recursion or isinstance(context.get("exception"), RecursionError)

    def time(self):
        return self.now

    def create_task(self, coroutine, **options):
        task = super().create_task(coroutine, **options)
        if not coroutine.__name__.startswith("shutdown_"):  # these are asyncio.run's own
            self.tasks.append(task)
            self.numbers[task] = len(self.tasks)
        return task

    def call_at(self, when, callback, *args, context=None):
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._scheduled, (when, next(self.sequence), timer))
        return timer

    def _timer_handle_cancelled(self, handle):
        pass

    def _process_events(self, events):
        pass

    def _run_once(self):
        self.turns += 1
        if self.turns > TURNS:
            raise TooLong
        timers, ready = self._scheduled, self._ready
        while timers and timers[0][2].cancelled():
            heapq.heappop(timers)
        if not ready and not self._stopping:
            if not timers:
                raise Deadlock
            self.now = max(self.now, timers[0][0])
        while timers and timers[0][0] <= self.now:
            ready.append(heapq.heappop(timers)[2])
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()


def all_tasks(loop=None):
    """In the order of creation; asyncio.run asks it for what is left."""
    loop = loop or asyncio.get_running_loop()
    left = [task for task in loop.tasks if not task.done()]
    loop.left = sorted(map(loop.world.name, left))
    loop.done_before_the_end = set(loop.tasks) - set(left)
    return left


async def wait(tasks, **options):
    try:
        return await wait_of_asyncio(tasks, **options)
    except asyncio.CancelledError:
        asyncio.get_running_loop().asked_in_passing.update(filter(error_of, tasks))
        raise


wait_of_asyncio = asyncio.wait
asyncio.wait = wait
asyncio.tasks.all_tasks = all_tasks
asyncio.tasks.set = OrderedSet
asyncio.taskgroups.set = OrderedSet


def error_of(task):
    """Without making it a retrieved one."""
    return task._exception if task.done() and not task.cancelled() else None
