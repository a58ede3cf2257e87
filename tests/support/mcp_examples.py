"""Real MCP servers by the official package: a command over stdio, and the same over streamable HTTP.

Run as a program it serves over stdio.
"""

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from mcp.server.mcpserver import Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError

PHOTO = Path(__file__).parents[1] / "data" / "media" / "photo.jpg"
COMMAND = f"{sys.executable} {Path(__file__)}"


def make_server(name: str = "examples") -> MCPServer:
    """A server with tools of all kinds."""
    server = MCPServer(name)

    @server.tool()
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    @server.tool()
    def look() -> Image:
        """Take a picture."""
        return Image(path=PHOTO)

    @server.tool()
    def fail(reason: str) -> str:
        """Fail."""
        raise ToolError(reason)

    @server.tool()
    async def sleep(seconds: float) -> str:
        """Take a while."""
        import anyio

        await anyio.sleep(seconds)
        return "slept"

    return server


@contextlib.contextmanager
def http_server() -> Iterator[str]:
    """The same over HTTP; gives its URL."""
    app = make_server("web").streamable_http_app()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
    finally:
        server.should_exit = True
        thread.join(timeout=20)


if __name__ == "__main__":
    make_server().run()
