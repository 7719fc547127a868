import asyncio


def show(*values):
    print(*(str(value).lower() if isinstance(value, bool) else value for value in values), sep="\t")


balance = 100


async def main():
    guard = asyncio.Lock()

    async def withdraw(name, amount):
        global balance
        async with guard:
            seen = balance
            print(f"{name} sees {seen}")
            await asyncio.sleep(0.02)
            if seen >= amount:
                balance = seen - amount
                print(f"{name} took {amount}")
            else:
                print(f"{name} cannot take {amount}")

    await asyncio.gather(withdraw("Ann", 60), withdraw("Ben", 60), withdraw("Cem", 40))
    try:
        async with guard:
            raise ValueError("it failed")
    except ValueError as error:
        show(False, error)

    async def hold():
        async with guard:
            await asyncio.sleep(1)

    holder = asyncio.create_task(hold())
    await asyncio.sleep(0.02)
    show(guard.locked())
    holder.cancel()
    await asyncio.sleep(0.02)
    show(guard.locked(), balance)


asyncio.run(main())
