import asyncio


async def main():
    stop, requests = asyncio.Event(), asyncio.Queue()

    async def server():
        handled = 0
        while not (stop.is_set() and requests.empty()):
            try:
                request = await asyncio.wait_for(requests.get(), 0.02)
            except asyncio.TimeoutError:
                continue
            print(f"handling {request}")
            await asyncio.sleep(0.03)
            handled += 1
            requests.task_done()
        print("no more requests")
        return handled

    serving = asyncio.create_task(server())
    for i in range(1, 5):
        await requests.put(f"request {i}")
    await asyncio.sleep(0.01)
    print("stop")
    stop.set()
    await requests.join()
    print(f"{await serving} were handled")
    await asyncio.sleep(0.04)


asyncio.run(main())
