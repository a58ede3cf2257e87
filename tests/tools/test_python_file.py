"""Functions of a Python file as tools: which they are, how they are called, what is refused."""

import json
from pathlib import Path

import pytest

from gemma4.errors import InputError, MessageError
from gemma4.text.messages import Image
from gemma4.tools import PythonFile, Toolbox

SOURCE = '''
import dataclasses
import enum
from os.path import join  # of another module: no tool
from gemma4.text.messages import Image

class Unit(enum.Enum):
    C = "c"
    F = "f"

@dataclasses.dataclass
class Place:
    name: str
    height: int = 0

def weather(city: str, unit: Unit = Unit.C) -> str:
    """Tell the weather.

    Args:
        city: its name.
    """
    return f"{city}: 20 {unit.name}"

def place(where: Place) -> Place:
    """Look a place up."""
    return Place(where.name.upper(), where.height + 1)

async def later(n: int) -> int:
    """Count, later."""
    return n + 1

def picture() -> Image:
    """Take a picture."""
    return Image(b"bytes")

def quit_all() -> None:
    """Leave."""
    raise SystemExit(3)

def broken() -> str:
    """Fail."""
    return {}["x"]

def _hidden(a: int) -> int:
    return a
'''


@pytest.fixture
def box(tmp_path: Path) -> Toolbox:
    path = tmp_path / "mine.py"
    path.write_text(SOURCE)
    return Toolbox([PythonFile(path)])


def test_public_functions_of_the_file_are_tools(box: Toolbox) -> None:
    names = [tool.name for tool in box.offered]
    assert names == ["weather", "place", "later", "picture", "quit_all", "broken"]
    weather = box.offered[0]
    assert weather.description == "Tell the weather."
    assert weather.parameters["properties"]["city"]["description"] == "its name."
    assert box.remarks == ()


def test_arguments_become_what_the_hints_ask_for(box: Toolbox) -> None:
    assert box.call("weather", {"city": "Oslo", "unit": "f"}).text == "Oslo: 20 F"
    assert json.loads(box.call("place", {"where": {"name": "a", "height": 2}}).text) == {
        "name": "A",
        "height": 3,
    }
    assert box.call("later", {"n": 41}).text == "42"
    assert box.call("picture", {}).media == (Image(b"bytes"),)


def test_a_failure_is_told_and_not_raised(box: Toolbox) -> None:
    broken = box.call("broken", {})
    assert broken.is_error
    assert broken.text == "error: KeyError: 'x'"
    assert box.call("quit_all", {}).text == "error: SystemExit: 3"
    unfit = box.call("weather", {"city": "Oslo", "unit": "k", "day": 1})
    assert unfit.is_error
    assert "unit: Input should be 'c' or 'f'" in unfit.text
    assert "day" in unfit.text
    unknown = box.call("nothing", {})
    assert unknown.text.startswith(
        "error: there is no tool 'nothing'; the tools are: weather, place"
    )


def test_all_names_what_is_offered(tmp_path: Path) -> None:
    path = tmp_path / "few.py"
    path.write_text('__all__ = ["b"]\ndef a() -> int:\n    "A."\ndef b() -> int:\n    "B."\n')
    assert [tool.name for tool in PythonFile(path).tools] == ["b"]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def f(x: int) -> int:\n    return x\n", "'f' has no description"),
        ("def f(x) -> int:\n    'Do.'\n", "no type hint"),
        ("x = 1\n", "has no function"),
        ("1 / 0\n", "cannot be run: ZeroDivisionError"),
        ("def (\n", "cannot be run: SyntaxError"),
        ("__all__ = ['g']\n", "__all__ names 'g'"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, source: str, words: str) -> None:
    path = tmp_path / "bad.py"
    path.write_text(source)
    with pytest.raises((InputError, MessageError), match=r"bad\.py") as caught:
        PythonFile(path)
    assert words in str(caught.value)
    with pytest.raises(InputError, match="is no file"):
        PythonFile(tmp_path / "none.py")
