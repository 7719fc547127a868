import asyncio


def show(*values):
    print(*(str(value).lower() if isinstance(value, bool) else value for value in values), sep="\t")


flights, fetches = {}, 0


async def fetch(key):
    global fetches
    fetches += 1
    print(f"fetching {key}")
    await asyncio.sleep(0.03)
    if key == "moon":
        raise ValueError(f"no such key: {key}")
    return key.upper()


async def lookup(key):
    if key not in flights:
        flights[key] = asyncio.create_task(fetch(key))
    return await asyncio.shield(flights[key])


async def main():
    results = await asyncio.gather(*map(lookup, ("sun", "moon", "sun", "moon")), return_exceptions=True)
    for i, result in enumerate(results, 1):
        show(i, isinstance(result, Exception), result)
    show(await lookup("sun"), fetches)
    hasty, patient = asyncio.create_task(lookup("star")), asyncio.create_task(lookup("star"))
    await asyncio.sleep(0.01)
    hasty.cancel()
    show(await patient, hasty.cancelled())


asyncio.run(main())
