import asyncio


async def main():
    listeners = []

    async def listen(name, count):
        inbox = asyncio.Queue()
        listeners.append(inbox)
        for _ in range(count):
            print(f"{name} hears: {await inbox.get()}")
        print(f"{name} goes home")

    async def announce(text):
        for inbox in listeners:
            await inbox.put(text)
        await asyncio.sleep(0.01)

    async with asyncio.TaskGroup() as room:
        room.create_task(listen("Ann", 3))
        room.create_task(listen("Ben", 2))
        await asyncio.sleep(0)
        for i, text in enumerate(["welcome", "the talk begins", "questions?"], 1):
            await announce(f"{i}: {text}")
    await asyncio.sleep(0.02)
    print("the room is empty")


asyncio.run(main())
