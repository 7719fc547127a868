import asyncio


tree = ("root", 1, [
    ("left", 2, [("left leaf", 3, [])]),
    ("right", 4, [("right leaf 1", 5, []), ("right leaf 2", 6, [])]),
])


async def walk(node):
    name, cost, children = node
    print(f"visit {name}")
    await asyncio.sleep(0.01)
    total = cost + sum(await asyncio.gather(*map(walk, children)))
    print(f"{name} costs {total}")
    return total


async def main():
    print(await walk(tree))


asyncio.run(main())
