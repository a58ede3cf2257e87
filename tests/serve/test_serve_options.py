"""Settings of `gemma4 serve`: a flag wins over a variable, that over the file, and it over the default."""

import inspect
from pathlib import Path
from typing import Any

import pytest

from gemma4.cli import main
from gemma4.cli.serve import server as server_module
from gemma4.cli.serve.build import build_settings
from gemma4.cli.serve.command import serve
from gemma4.cli.serve.options import OPTIONS, Option, settle
from gemma4.cli.serve.server import Serving
from gemma4.cli.serve.words import FOREVER, read_bytes, read_list, read_seconds
from gemma4.errors import InputError

# Of each option three values as text, and what they mean: on the flag, in the variable, in the file.
VALUES: dict[str, tuple[tuple[str, Any], ...]] = {
    "text": (("one", "one"), ("two", "two"), ("three", "three")),
    "number": (("11", 11), ("12", 12), ("13", 13)),
    "seconds": (("1m", 60.0), ("90", 90.0), ("forever", FOREVER)),
    "bytes": (("1kB", 1000), ("1KiB", 1024), ("2 MiB", 2097152)),
    "switch": (("on", True), ("off", False), ("true", True)),
    "list": (("a=b", ("a=b",)), ("c=d,e=f", ("c=d", "e=f")), ("g=h", ("g=h",))),
}


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_each_option_from_each_place(option: Option) -> None:
    (flag, by_flag), (variable, by_variable), (file, by_file) = VALUES[option.kind]
    flags = {option.name: [flag] if option.kind == "list" else flag}
    environ, toml = {option.variable: variable}, {option.flag[2:]: file}

    def value(*given: dict[str, Any]) -> Any:
        return settle(*given, "serve.toml")[option.name]

    assert value(flags, environ, toml) == by_flag
    assert value({option.name: None}, environ, toml) == by_variable
    assert value({}, environ, toml) == by_variable
    assert value({}, {}, toml) == by_file
    assert value({}, {}, {}) == option.default
    wrong = {"text": 5, "list": [5]}.get(option.kind, "no such value")
    with pytest.raises(InputError, match=r"in serve\.toml is"):
        value({}, {}, {option.name: wrong})


def test_every_flag_is_an_option_and_every_option_a_flag() -> None:
    flags = set(inspect.signature(serve).parameters) - {"context", "config", "quiet", "no_color"}
    assert flags == {option.name for option in OPTIONS}


@pytest.mark.parametrize(
    ("environ", "file", "words"),
    [
        ({"GEMMA4_SERVE_PROT": "1"}, {}, "the environment sets GEMMA4_SERVE_PROT"),
        ({}, {"prot": 1}, r"serve\.toml sets prot"),
        ({"GEMMA4_SERVE_PORT": "x"}, {}, "GEMMA4_SERVE_PORT is 'x', which is no whole number"),
    ],
)
def test_what_no_option_is_called_is_said(
    environ: dict[str, str], file: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        settle({}, environ, file, "serve.toml")


def test_the_whole_way_from_words_to_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A flag, a variable, the file named by a variable, and a default, through the command itself."""
    found: list[Serving] = []
    monkeypatch.setattr(server_module, "run_server", lambda serving, *_: found.append(serving))
    file = tmp_path / "serve.toml"
    file.write_text(
        'port = 1\nqueue-length = 5\nhost = "::1"\nalias = ["gpt-*=e2b"]\nmetrics = false\n'
    )
    words = ("serve", "e2b", "--port", "9", "--keep-alive", "forever", "--api-key", "k")
    environ = {
        "GEMMA4_HOME": str(tmp_path),
        "GEMMA4_SERVE_CONFIG": str(file),
        "GEMMA4_SERVE_QUEUE_LENGTH": "7",
        "GEMMA4_SERVE_PORT": "8",
    }
    assert main(words, environ) == 0, capsys.readouterr().err
    settings = found[0].settings
    assert found[0].named == ("e2b",)
    assert (settings.port, settings.limits.queue_length, settings.host) == (9, 7, "::1")
    assert settings.loading.aliases == {"gpt-*": "e2b"}
    assert settings.loading.keep_alive is None
    assert settings.metrics is False
    assert settings.limits.load_seconds == 600
    assert len(settings.access.key_hashes) == 1
    assert "k" not in settings.access.key_hashes


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--port", "70000"), "the largest is 65535"),
        (("--alias", "gpt"), "NAME=MODEL"),
        (("--media-path", "/nowhere"), "is no folder"),
        (("--api-key-file", "/nowhere"), "cannot be read"),
        (("--config", "/nowhere.toml"), "cannot be read"),
        (("--keep-alive", "soon"), "is no time"),
        (("--max-body", "big"), "is no size"),
        (("--parallel", "0"), "--parallel is 0"),
        (("nosuchmodel",), "nosuchmodel"),
    ],
)
def test_wrong_words_are_one_line_and_exit_code_2(
    words: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(("serve", *words), {"GEMMA4_HOME": str(tmp_path)}) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_keys_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("# ours\nfirst\n\n second \n")
    values = settle({"api_key_file": str(tmp_path / "keys"), "api_key": ["third"]}, {}, {}, "")
    assert len(build_settings(values).access.key_hashes) == 3


def test_words() -> None:
    assert [read_seconds(text) for text in ("500ms", "2h", 3, "-1", -1)] == [
        0.5,
        7200,
        3,
        FOREVER,
        FOREVER,
    ]
    assert [read_bytes(text) for text in (5, "5", "1.5k", "1GiB")] == [5, 5, 1500, 2**30]
    assert read_list(["a", "b"]) == read_list("a, b")
