"""Tools that really run: functions of a Python file and MCP servers behind one box, and the loop of calls."""

from .box import Toolbox
from .loop import Denied, RoundsSpent, ToolAnswer, run_tools
from .mcp_server import MCPServer, open_mcp
from .open import open_toolbox
from .python_file import PythonFile
from .result import ToolResult

__all__ = [
    "Denied", "MCPServer", "PythonFile", "RoundsSpent", "ToolAnswer", "ToolResult", "Toolbox",
    "open_mcp", "open_toolbox", "run_tools",
]  # fmt: skip
