import asyncio


class NotFound(Exception):
    pass


class Refused(Exception):
    kind = "refused"


async def fetch(page):
    await asyncio.sleep(0.01)
    if page == "missing":
        raise NotFound("not found")
    if page == "private":
        raise Refused("refused")
    return f"page {page}"


async def describe(page):
    try:
        return await asyncio.create_task(fetch(page))
    except NotFound as error:
        return f"404 {error}"
    except Refused as error:
        return f"403 {error.kind}"


async def main():
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    tasks = [asyncio.create_task(fetch(page), name=page) for page in ("home", "missing", "private")]
    print(await describe("home"))
    print(", ".join(await asyncio.gather(describe("missing"), describe("private"))))
    return tasks


asyncio.run(main())
