"""`python -m tests.model_server --port 8099`"""

import argparse
import asyncio
import contextlib
import gc
import sys

from tests.model_server.http import Connection
from tests.model_server.server import Server


async def serve(host: str, port: int, *, exit_with_parent: bool) -> None:
    server = Server()
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: Connection(server), host, port, backlog=4096)
    # The runner reads this line to learn the port that the kernel chose.
    print(f"listening {listener.sockets[0].getsockname()[1]}", flush=True)
    gc.freeze()
    if exit_with_parent:
        await loop.run_in_executor(None, sys.stdin.read)
        return
    await listener.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.model_server")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--exit-with-parent", action="store_true", help="stop when stdin closes")
    args = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(args.host, args.port, exit_with_parent=args.exit_with_parent))


main()
