"""The functions of a Python file as tools.

# tools.py
def add(a: int, b: int) -> int:
    \"\"\"Add two numbers.\"\"\"
    return a + b
"""

import asyncio
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import ConfigDict, ValidationError, validate_call

from ..errors import InputError, MessageError
from ..text.messages import Tool
from ..text.tools.define import tool_from_function
from .result import ToolResult, failure, result_of


class PythonFile:
    """The public functions that a file defines, or those of its `__all__`. The file is run.

    Args:
        path: of the file.

    Attributes:
        name: the file's, without its suffix.

    Raises:
        InputError: it is not there, cannot be run, or has no function.
        MessageError: a function without description or type hints.
    """

    remarks: tuple[str, ...] = ()

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        functions = _functions(_run(path), path)
        try:
            self.tools: tuple[Tool, ...] = tuple(map(tool_from_function, functions))
        except MessageError as error:
            raise MessageError(f"{path}: {error}") from error
        self._functions = {tool.name: one for tool, one in zip(self.tools, functions, strict=True)}

    def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Run a function; arguments are checked against its type hints and made what they ask for."""
        function = self._functions[name]
        checked = validate_call(config=ConfigDict(arbitrary_types_allowed=True))(function)
        try:
            value = checked(**arguments)
        except ValidationError as error:
            return failure(_unfit(error))
        return result_of(asyncio.run(value) if inspect.iscoroutine(value) else value)

    def close(self) -> None:
        """Nothing is held."""


def _run(path: Path) -> ModuleType:
    if not path.is_file():
        raise InputError(f"{path} is no file; give a Python file whose functions are the tools")
    spec = importlib.util.spec_from_file_location(f"gemma4_tools_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path} is no Python file; its name must end with .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # type hints and dataclasses are looked up there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise InputError(f"{path} cannot be run: {type(error).__name__}: {error}") from error
    return module


def _functions(module: ModuleType, path: Path) -> list[Callable[..., Any]]:
    chosen = getattr(module, "__all__", None)
    if chosen is not None:
        missing = [name for name in chosen if not callable(getattr(module, name, None))]
        if missing:
            raise InputError(f"{path}: __all__ names {missing[0]!r}, which is no function of it")
        found = [getattr(module, name) for name in chosen]
    else:
        found = [
            value
            for name, value in vars(module).items()
            if inspect.isfunction(value)
            and not name.startswith("_")
            and value.__module__ == module.__name__
        ]
    if not found:
        raise InputError(f"{path} has no function; define one with type hints and a docstring")
    return found


def _unfit(error: ValidationError) -> str:
    """What is wrong with the arguments, one after the other."""
    found = [
        f"{'.'.join(map(str, one['loc'])) or 'arguments'}: {one['msg']}" for one in error.errors()
    ]
    return "; ".join(found)
