import asyncio


async def leaf(name, seconds):
    await asyncio.sleep(seconds)
    print(name)


async def main():
    async with asyncio.TaskGroup() as outer:
        outer.create_task(leaf("outer child", 0.05))
        async with asyncio.TaskGroup() as inner:
            inner.create_task(leaf("inner child 2", 0.02))
            inner.create_task(leaf("inner child 1", 0.01))
            print("inner body ends")
        print("inner scope ended")

        async def branch():
            async with asyncio.TaskGroup() as deep:
                deep.create_task(leaf("deep child", 0.02))
                outer.create_task(leaf("grandchild of the outer scope", 0.04))
            print("deep scope ended")

        outer.create_task(branch())
    print("outer scope ended")


asyncio.run(main())
