import asyncio


slow = None


async def nap():
    global slow
    slow = asyncio.current_task()
    await asyncio.sleep(0.5)


async def main():
    try:
        await asyncio.wait_for(nap(), 0.3)
    except asyncio.TimeoutError:
        print("Timed out!")
        print(str(slow.cancelled()).lower())


asyncio.run(main())
