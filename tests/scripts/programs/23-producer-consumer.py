import asyncio


async def main():
    line = asyncio.Queue(2)

    async def produce():
        for i in range(1, 6):
            await line.put(i)
            print(f"put {i}\tqueue holds {line.qsize()}")
        await line.put("end")

    async def consume():
        while True:
            item = await line.get()
            if item == "end":
                break
            print(f"got {item}")
            await asyncio.sleep(0.02)
        print("consumer ends")

    await asyncio.gather(produce(), consume())
    await asyncio.sleep(0.02)


asyncio.run(main())
