"""The licence that came with a model, as plain text."""

from html.parser import HTMLParser
from pathlib import Path

from .manifest import Manifest
from .selection import is_licence_file
from .store import Store


def read_licence(store: Store, manifest: Manifest | None, path: Path) -> dict[str, str]:
    """Licence files by name, as plain text. `manifest`: of a stored model; else `path` is searched."""
    if manifest is not None:
        folder = store.folder(manifest.name)
        names = manifest.licence_files
    else:
        folder = path if path.is_dir() else path.parent
        names = tuple(sorted(p.name for p in folder.iterdir() if is_licence_file(p.name)))
    texts = {name: (folder / name).read_text(encoding="utf-8", errors="replace") for name in names}
    return {name: _plain(text) if name.endswith(".html") else text for name, text in texts.items()}


class _TextOfPage(HTMLParser):
    """Collects what a page shows: a line for each block, nothing of scripts and styles."""

    _BLOCKS = ("p", "div", "li", "br", "tr", "h1", "h2", "h3", "h4", "section", "article")
    _UNSEEN = ("script", "style", "head", "nav", "svg", "template", "noscript")

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self._unseen += tag in self._UNSEEN
        if tag in self._BLOCKS:
            self.pieces.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._unseen -= tag in self._UNSEEN and self._unseen > 0
        if tag in self._BLOCKS:
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.pieces.append(" ".join(data.split("\n")))


def _plain(page: str) -> str:
    """The text of a page, from its title to the end of its article if it says where these are."""
    start, end = page.find("<h1"), page.rfind("</article>")
    page = page[start:end] if 0 <= start < end else page
    parser = _TextOfPage()
    parser.feed(page)
    lines = [" ".join(line.split()) for line in "".join(parser.pieces).split("\n")]
    return "\n".join(line for line in lines if line)
