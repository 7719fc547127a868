import asyncio


async def main():
    jobs = asyncio.Queue()

    async def worker(name):
        while True:
            job = await jobs.get()
            print(f"{name} takes job {job}")
            await asyncio.sleep(0.02 + 0.01 * job)
            print(f"{name} finished job {job}")
            jobs.task_done()

    for job in range(1, 8):
        await jobs.put(job)
    workers = [asyncio.create_task(worker(f"worker {i}")) for i in range(1, 4)]
    await jobs.join()
    print("all jobs done")
    for w in workers:
        w.cancel()
    results = await asyncio.gather(*workers, return_exceptions=True)
    print(*(str(isinstance(result, asyncio.CancelledError)).lower() for result in results), sep="\t")


asyncio.run(main())
