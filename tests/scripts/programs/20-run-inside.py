import asyncio


async def never():
    print("never")


async def main():
    coroutine = never()
    try:
        asyncio.run(coroutine)
    except RuntimeError:
        coroutine.close()
        print("error: already running inside a job; use await")


asyncio.run(main())
