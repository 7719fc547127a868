import asyncio


async def service(name, seconds):
    print(f"{name} starts")
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(seconds)
        print(f"{name} stopped")


async def main():
    tasks = [asyncio.create_task(service("database", 0.04)), asyncio.create_task(service("server", 0.02))]
    await asyncio.sleep(0.03)
    raise RuntimeError("the program failed")
    return tasks


asyncio.run(main())
