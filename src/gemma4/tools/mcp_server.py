"""An MCP server as a source of tools: a command over stdio, or a URL over streamable HTTP.

The official `mcp` package speaks the protocol, on an event loop in a thread of its own.
"""

import base64
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from ..errors import EnvironmentFault, InputError
from ..text.messages import Audio, Image, Part, Text, Tool
from .offered import tool_of
from .result import ToolResult

if TYPE_CHECKING:
    import mcp
    import mcp.types
    from anyio.from_thread import BlockingPortal

CONNECT_SECONDS = 60.0
"""A server that has not said its tools by then is given up; packages may be fetched meanwhile."""

CALL_SECONDS = 600.0
"""A call that takes longer is given up, and the model told."""

_MOST_PAGES = 100


class MCPServer:
    """A connected server; made by `open_mcp`.

    Attributes:
        name: as the server calls itself, else the command or host.
    """

    def __init__(
        self,
        name: str,
        listed: "Sequence[mcp.types.Tool]",
        client: "mcp.Client",
        portal: "BlockingPortal",
        held: ExitStack,
    ) -> None:
        self._client = client
        self._portal = portal
        self._held = held
        self.name = name
        found = [tool_of(one.name, one.description or "", one.input_schema) for one in listed]
        self.tools: tuple[Tool, ...] = tuple(tool for tool, _ in found)
        self.remarks: tuple[str, ...] = tuple(remark for _, remarks in found for remark in remarks)

    def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Call a tool and wait; an interruption cancels the call on the server too."""
        future = self._portal.start_task_soon(_call, self._client, name, dict(arguments))
        try:
            return result_of_mcp(future.result())
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """End the connection, and the process of a command. One that is gone already is as good."""
        with suppress(Exception):
            self._held.close()


def open_mcp(target: str) -> MCPServer:
    """Connect to a server: `npx -y some-server /folder`, or `http://localhost:8000/mcp`.

    Raises:
        InputError: the command is empty or not well quoted.
        EnvironmentFault: the package is missing, or the server does not answer.
    """
    try:
        from anyio.from_thread import start_blocking_portal
        from mcp import Client
    except ImportError as error:
        raise EnvironmentFault(
            f"MCP servers need a package that is missing; run `{sys.executable} -m pip install mcp`"
        ) from error
    server, name = _server(target)
    with ExitStack() as stack:
        try:
            portal = stack.enter_context(start_blocking_portal())
            client = Client(server, read_timeout_seconds=CONNECT_SECONDS)
            stack.enter_context(portal.wrap_async_context_manager(client))
            listed = portal.call(_list_tools, client)
        except (Exception, CancelledError) as error:
            raise EnvironmentFault(
                f"MCP server {target!r} does not answer: {_reason(error)}; check that it starts by itself"
            ) from error
        info = client.server_info
        return MCPServer(info.name if info else name, listed, client, portal, stack.pop_all())


def _server(target: str) -> "tuple[str | mcp.StdioServerParameters, str]":
    """What the client connects to, and a name where the server gives none."""
    if target.startswith(("http://", "https://")):
        return target, target.split("/")[2]
    return _command(target)


def _command(target: str) -> "tuple[mcp.StdioServerParameters, str]":
    from mcp import StdioServerParameters

    try:
        words = shlex.split(target)
    except ValueError as error:
        raise InputError(f"--mcp {target!r} is no command: {error}") from error
    if not words:
        raise InputError("--mcp is empty; give a command or a URL")
    return StdioServerParameters(command=words[0], args=words[1:]), words[0].rsplit("/", 1)[-1]


async def _list_tools(client: "mcp.Client") -> "list[mcp.types.Tool]":
    """All pages of them."""
    found, cursor = [], None
    for _ in range(_MOST_PAGES):
        page = await client.list_tools(cursor=cursor)
        found += page.tools
        cursor = page.next_cursor
        if cursor is None:
            break
    return found


async def _call(
    client: "mcp.Client", name: str, arguments: dict[str, Any]
) -> "mcp.types.CallToolResult":
    return await client.call_tool(name, arguments, read_timeout_seconds=CALL_SECONDS)


def result_of_mcp(result: "mcp.types.CallToolResult") -> ToolResult:
    """Its texts, pictures and sounds; what has no place in a message is named."""
    parts = [_part(block) for block in result.content]
    if not parts and result.structured_content is not None:
        parts = [Text(json.dumps(result.structured_content, ensure_ascii=False))]
    return ToolResult(parts=tuple(parts) or (Text(""),), is_error=result.is_error)


def _part(block: "mcp.types.ContentBlock") -> Part:
    match block.type:
        case "text":
            return Text(block.text)
        case "image":
            return Image(base64.b64decode(block.data))
        case "audio":
            return Audio(base64.b64decode(block.data))
        case "resource_link":
            return Text(f"[resource {block.name}: {block.uri}]")
        case "resource":
            text = getattr(block.resource, "text", None)
            kind = block.resource.mime_type or "of unknown type"
            return Text(text if text is not None else f"[{block.resource.uri}, {kind}, left out]")


def _reason(error: BaseException) -> str:
    """The cause of a failure, on one line, also out of a group."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
