"""The files of the page: whole, small, their own."""

import hashlib
import json
import re
from pathlib import Path

import pytest
from page_server import POLICY, WEB

VENDOR = WEB / "vendor"
VERSIONS = json.loads((VENDOR / "VERSIONS.json").read_text())["packages"]
OURS = sorted(
    path
    for path in WEB.rglob("*")
    if path.suffix in {".js", ".css", ".html", ".svg"} and VENDOR not in path.parents
)
LONGEST = 400
MOST_BYTES = 4_000_000


def name_of(path: Path) -> str:
    return path.relative_to(WEB).as_posix()


def test_what_others_wrote_is_what_it_says_it_is() -> None:
    listed = {name: digest for package in VERSIONS for name, digest in package["files"].items()}
    found = {
        path.relative_to(VENDOR).as_posix() for path in VENDOR.rglob("*") if path.is_file()
    } - {"VERSIONS.json"}
    assert found == set(listed)
    for name, digest in listed.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest, name


def test_every_package_has_a_version_and_its_licence() -> None:
    for package in VERSIONS:
        assert re.fullmatch(r"\d+\.\d+\.\d+", package["version"])
        assert package["licence"] in {"MIT", "BSD-3-Clause", "Apache-2.0", "OFL-1.1"}
        assert any("LICENSE" in name for name in package["files"]), package["package"]


def test_the_page_stays_small() -> None:
    assert sum(path.stat().st_size for path in WEB.rglob("*") if path.is_file()) < MOST_BYTES


@pytest.mark.parametrize("path", OURS, ids=name_of)
def test_a_file_of_ours(path: Path) -> None:
    """Short, no other host, and no way for text to become markup or code."""
    text = path.read_text()
    assert len(text.splitlines()) <= LONGEST
    hosts = re.findall(r"https?://[^\s\"'`)]+", text)
    assert set(hosts) <= {"http://www.w3.org/2000/svg"}
    for mark in (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "TODO",
        "style=",
    ):
        assert mark not in text, f"{name_of(path)} has {mark}"
    if path.suffix == ".html":
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=", text)


def test_every_module_is_used_and_there() -> None:
    html = (WEB / "index.html").read_text()
    wanted = {WEB.parent / name for name in re.findall(r'(?:src|href)="(web/[^"]+)"', html)}
    queue = [path for path in wanted if path.suffix == ".js"]
    while queue:
        path = queue.pop()
        for name in re.findall(r'(?:from|import\() ?"(\.[^"]+)"', path.read_text()):
            target = (path.parent / name).resolve()
            assert target.is_file(), f"{name_of(path)} imports {name}"
            if target not in wanted and VENDOR not in target.parents:
                wanted.add(target)
                queue.append(target)
    unused = {path for path in OURS if path.suffix in {".js", ".css"}} - {
        path.resolve() for path in wanted
    }
    assert unused == set()


def test_the_policy_of_these_tests_is_the_strict_one() -> None:
    assert POLICY.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in POLICY
