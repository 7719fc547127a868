"""The cases on asyncio, and with --uvloop on uvloop. See ../../case.h for what a program is called with and what it
prints. Where heddle does a million, this does fewer: each figure is for one."""

import asyncio
import os
import statistics
import sys
import time


def now_ns():
    """With BENCH_CLOCK=cpu those that the process had a core."""
    return time.process_time_ns() if os.environ.get("BENCH_CLOCK") == "cpu" else time.perf_counter_ns()


def tell(what, value, unit):
    print(f"{what}\t{value:.6g}\t{unit}", flush=True)


def kib(path, key):
    with open(path) as file:
        return next(float(line.split()[1]) for line in file if line.startswith(key)) * 1024


def memory():
    rollup = "/proc/self/smaps_rollup"
    return kib(rollup, "Rss:"), kib(rollup, "Pss:"), kib("/proc/self/status", "VmPTE:")


def tell_memory(name, count, before):
    for part, now, then in zip(("rss", "pss", "tables"), memory(), before):
        tell(f"{name}.{part}", (now - then) / count, "B")


async def yielder(times):
    for _ in range(times):
        await asyncio.sleep(0)


async def yield_together(tasks, yields):
    await asyncio.gather(*(yielder(yields // tasks) for _ in range(tasks)))


async def yields(name, tasks, count=400_000):
    await yield_together(tasks, count // 40)
    began = now_ns()
    await yield_together(tasks, count)
    tell(name, (now_ns() - began) / count, "ns")


async def nothing():
    pass


async def in_thousands(count):
    for _ in range(count // 1000):
        for task in [asyncio.create_task(nothing()) for _ in range(1000)]:
            await task


async def spawn_join(name, count):
    await in_thousands(5_000)
    began = now_ns()
    await in_thousands(count)
    tell(name, (now_ns() - began) / count, "ns")


async def spawn_await(name, count):
    for _ in range(count // 40):
        await asyncio.create_task(nothing())
    began = now_ns()
    for _ in range(count):
        await asyncio.create_task(nothing())
    tell(name, (now_ns() - began) / count / 1e3, "us")


async def many_tasks(name, count):
    before = memory()
    began = time.perf_counter()
    tasks = [asyncio.create_task(asyncio.sleep(1)) for _ in range(count)]
    await asyncio.sleep(0)
    grown = memory()[0] - before[0]
    await asyncio.gather(*tasks)
    tell(f"{name}.wall", time.perf_counter() - began, "s")
    tell(f"{name}.memory", grown / count, "B")


async def returner(ping, pong):
    while (ball := await ping.get()) is not None:
        await pong.put(ball)


async def play(ping, pong, trips):
    for sent in range(trips):
        await ping.put(sent)
        assert await pong.get() == sent


async def pingpong(name, trips):
    ping, pong = asyncio.Queue(1), asyncio.Queue(1)
    other = asyncio.create_task(returner(ping, pong))
    await play(ping, pong, trips // 40)
    began = now_ns()
    await play(ping, pong, trips)
    tell(name, (now_ns() - began) / trips, "ns")
    await ping.put(None)
    await other


async def sleepers(name, count):
    """Memory only: a tenth of them says what one takes."""
    before = memory()
    tasks = [asyncio.create_task(asyncio.sleep(3600)) for _ in range(count)]
    await asyncio.sleep(0)
    tell_memory(name, count, before)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def delayed(name, count):
    loop = asyncio.get_running_loop()
    before = memory()
    began = now_ns()
    handles = [loop.call_later(3600, nothing) for _ in range(count)]
    took = (now_ns() - began) / count
    tell_memory(name, count, before)
    tell(f"{name}.spawn", took, "ns")
    for handle in handles:
        handle.cancel()


async def gather_once(count):
    began = time.perf_counter()
    await asyncio.gather(*(asyncio.sleep(0.001) for _ in range(count)))
    return (time.perf_counter() - began) * 1e3 - 1


async def gather(name, count):
    await gather_once(count)
    tell(name, statistics.median([await gather_once(count) for _ in range(7)]), "ms")


def empty():
    pass


async def caller(loop, times):
    for _ in range(times):
        await loop.run_in_executor(None, empty)


async def offload(name, count):
    loop = asyncio.get_running_loop()
    await asyncio.gather(*(caller(loop, count // 640) for _ in range(64)))
    began = now_ns()
    await asyncio.gather(*(caller(loop, count // 64) for _ in range(64)))
    tell(name, (now_ns() - began) / count, "ns")


class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.transport.write(data)


async def echo(_name, _count):
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
    print(f"port\t{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


async def starter(times):
    for _ in range(times):
        process = await asyncio.create_subprocess_exec("/bin/true")
        assert await process.wait() == 0


async def process(name, count):
    await asyncio.gather(starter(5), starter(5))
    began = time.perf_counter()
    await asyncio.gather(starter(count // 2), starter(count // 2))
    tell(name, count / (time.perf_counter() - began), "/s")


CASES = {
    "yield_2": (yields, 2),
    "yield_1000": (yields, 1000),
    "spawn_join_1": (spawn_join, 50_000),
    "pingpong_1": (pingpong, 40_000),
    "sleepers": (sleepers, 100_000),
    "delayed": (delayed, 100_000),
    "gather_1": (gather, 10_000),
    "offload_1": (offload, 12_800),
    "echo_pinned": (echo, 0),
    "echo_2": (echo, 0),
    "process": (process, 150),
    "spawn_await": (spawn_await, 100_000),
    "many_tasks": (many_tasks, 100_000),
}


def main():
    wanted = sys.argv[1:]
    if "--uvloop" in wanted:
        import uvloop
        uvloop.install()
        wanted.remove("--uvloop")
    if "--list" in wanted:
        print("\n".join(CASES))
        return
    for name in wanted:
        case, count = CASES[name]
        asyncio.run(case(name, count))


if __name__ == "__main__":
    main()
