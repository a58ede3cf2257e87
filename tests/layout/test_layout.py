"""The rules of the house that a machine can check: who imports whom, how long a file may be."""

import ast
from pathlib import Path

import pytest

import gemma4

PACKAGE = Path(gemma4.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
# Each layer may import what stands to its left. docs/design.md explains why.
LAYERS = [
    "errors", "config", "catalog", "tensors", "fit", "ops", "quant", "kernels", "model", "weights",
    "hub", "text", "media", "engine", "grammar", "llm", "tools", "serve",
    "verify", "cli",
]  # fmt: skip
NEVER = {"text": {"media"}, "media": {"text"}, "hub": {"ops", "quant", "model"}}
WITHOUT_TORCH = {"errors", "config", "catalog", "tensors", "fit", "text", "media"}
FORBIDDEN_NAMES = {"utils", "helpers", "common", "base", "misc"}
LONGEST_FILE = 400
LONGEST_FUNCTION = 60


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def layer_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_modules(path: Path) -> set[str]:
    """Absolute names of all modules a file imports, at the top or inside functions."""
    package = ["gemma4", *path.relative_to(PACKAGE).parts[:-1]]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*start, *([node.module] if node.module else [])])
            found |= {stem} | {f"{stem}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_layer_imports_only_what_stands_above_it(path: Path) -> None:
    layer = layer_of(path)
    if layer in ("__init__", "__main__"):
        return
    assert layer in LAYERS, f"{layer} has no place in the table of layers"
    allowed = set(LAYERS[: LAYERS.index(layer) + 1]) - NEVER.get(layer, set())
    used = {
        module.split(".")[1]
        for module in imported_modules(path)
        if module.startswith("gemma4.") and module.split(".")[1] in LAYERS
    }
    assert used <= allowed, f"{name_of(path)} imports {sorted(used - allowed)}"


@pytest.mark.parametrize(
    "path", [path for path in FILES if layer_of(path) in WITHOUT_TORCH], ids=name_of
)
def test_what_needs_no_torch_imports_none(path: Path) -> None:
    assert not {module for module in imported_modules(path) if module.split(".")[0] == "torch"}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_files_and_functions_stay_readable(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST_FILE
    assert path.stem not in FORBIDDEN_NAMES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= LONGEST_FUNCTION, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_public_name_is_documented(path: Path) -> None:
    tree = ast.parse(path.read_text())
    if path.read_text().strip():
        assert ast.get_docstring(tree), "the module has no docstring"
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name.startswith("_"):
            continue
        assert ast.get_docstring(node), f"{node.name} has no docstring"
        for member in node.body if isinstance(node, ast.ClassDef) else []:
            if isinstance(member, ast.FunctionDef) and not member.name.startswith("_"):
                assert ast.get_docstring(member), f"{node.name}.{member.name} has no docstring"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_nothing_is_left_half_done(path: Path) -> None:
    text = path.read_text()
    for mark in ("TODO", "FIXME", "XXX", "NotImplementedError", "except:", "os.environ.get("):
        if mark == "os.environ.get(" and layer_of(path) == "cli":
            continue
        assert mark not in text, f"{name_of(path)} has {mark}"
