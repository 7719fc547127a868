import asyncio


async def main():
    seats = asyncio.Semaphore(2)

    async def guest(name):
        async with seats:
            print(f"{name} sits down")
            await asyncio.sleep(0.04)
            print(f"{name} leaves")

    await asyncio.gather(*(guest(f"guest {i}") for i in range(1, 7)))
    print(str(seats.locked()).lower())


asyncio.run(main())
