import asyncio


async def main():
    forks = [asyncio.Lock() for _ in range(6)]

    async def philosopher(i):
        first, second = sorted((i, i % 5 + 1))
        for meal in (1, 2):
            async with forks[first]:
                async with forks[second]:
                    print(f"philosopher {i} eats meal {meal}")
                    await asyncio.sleep(0.02)
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as table:
        for i in range(1, 6):
            table.create_task(philosopher(i))
    print("all have eaten")


asyncio.run(main())
