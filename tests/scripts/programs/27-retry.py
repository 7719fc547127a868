import asyncio


attempts = 0


async def unreliable():
    global attempts
    attempts += 1
    print(f"attempt {attempts}")
    if attempts == 1:
        await asyncio.sleep(1)
    await asyncio.sleep(0.01)
    if attempts < 4:
        raise ValueError(f"attempt {attempts} failed")
    return "answer"


async def retry(times, f):
    pause = 0.02
    for _ in range(times):
        try:
            return await asyncio.wait_for(f(), 0.05)
        except Exception as error:
            print("no:", "timed out" if isinstance(error, asyncio.TimeoutError) else error)
        await asyncio.sleep(pause)
        pause = min(pause * 2, 0.04)
    raise ValueError("gave up")


async def main():
    print(await retry(5, unreliable))
    try:
        print("true", await retry(0, unreliable), sep="\t")
    except ValueError as error:
        print("false", error, sep="\t")


asyncio.run(main())
