import asyncio


async def main():
    ping, pong = asyncio.Queue(1), asyncio.Queue(1)

    async def player(name, source, target, turns):
        for _ in range(turns):
            ball = await source.get()
            print(f"{name} {ball}")
            await target.put(ball + 1)

    players = [asyncio.create_task(player("ping", ping, pong, 4)), asyncio.create_task(player("pong", pong, ping, 4))]
    await ping.put(1)
    await asyncio.gather(*players)
    print(f"the ball is at {await ping.get()}")


asyncio.run(main())
