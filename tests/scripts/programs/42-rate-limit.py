import asyncio


async def main():
    tokens = asyncio.Semaphore(2)

    async def refilling():
        while True:
            await asyncio.sleep(0.04)
            print("refill")
            tokens.release()
            tokens.release()

    refill = asyncio.create_task(refilling())

    async def request(number):
        await tokens.acquire()
        print(f"request {number}")

    await asyncio.gather(*(request(i) for i in range(1, 7)))
    refill.cancel()


asyncio.run(main())
