"""The server that a script's `serve` stands beside: aiohttp's own example, without its log of accesses."""

import sys

from aiohttp import web


async def hello(_request):
    return web.Response(text="Hello, world\n")


def main():
    app = web.Application()
    app.router.add_get("/", hello)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)


if __name__ == "__main__":
    main()
