"""A box of all that a command line names."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from .box import Toolbox, ToolSource
from .mcp_server import open_mcp
from .python_file import PythonFile


def open_toolbox(files: Sequence[Path], servers: Sequence[str]) -> Toolbox:
    """The functions of these files and the tools of these MCP servers; to be closed.

    Args:
        servers: commands or URLs, see `open_mcp`.

    Raises:
        InputError: a file that cannot be used.
        EnvironmentFault: a server that does not answer; those that did are ended.
    """
    with ExitStack() as stack:
        sources: list[ToolSource] = [PythonFile(path) for path in files]
        for target in servers:
            server = open_mcp(target)
            stack.callback(server.close)
            sources.append(server)
        box = Toolbox(sources)
        stack.pop_all()
        return box
