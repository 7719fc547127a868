import asyncio


async def broken():
    await asyncio.sleep(0.1)
    raise ValueError("Something went wrong")


async def main():
    try:
        await broken()
    except ValueError as problem:
        print(f"Error caught: {problem}")


asyncio.run(main())
