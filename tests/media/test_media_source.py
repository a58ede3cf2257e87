"""Paths, bytes and data: URLs become bytes; everything else is refused in one line."""

import base64
import os
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemma4.errors import MediaError
from gemma4.media import decode_data_url, prepare_image
from gemma4.media.source import resolve_source


@given(content=st.binary(min_size=1, max_size=200), padded=st.booleans(), url_safe=st.booleans())
def test_base64_content_round_trips_in_every_spelling(
    content: bytes, padded: bool, url_safe: bool
) -> None:
    encode = base64.urlsafe_b64encode if url_safe else base64.b64encode
    text = encode(content).decode()
    text = text if padded else text.rstrip("=")
    assert decode_data_url(f"data:image/png;base64,{text}") == content
    assert decode_data_url(f"data:image/png;base64,{quote(text, safe='')}") == content
    assert decode_data_url(f"data:;base64,{text[:3]}\r\n {text[3:]}") == content


@pytest.mark.parametrize(
    "header",
    [
        "data:image/png;base64",
        "DATA:image/png;BASE64",
        "data:;base64",
        "data:image/png;name=a.png;base64",
        "data:image/png;base64;name=a.png",
        "data:text/plain; charset=utf-8; base64",
    ],
)
def test_the_word_base64_may_stand_anywhere_among_the_parameters(header: str) -> None:
    assert decode_data_url(f"{header},aGk=") == b"hi"


@given(st.binary(max_size=100))
def test_content_without_base64_is_percent_encoded(content: bytes) -> None:
    assert decode_data_url(f"data:application/octet-stream,{quote(content)}") == content


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("data:image/png;base64", r"is no data: URL; it must read data:image/png;base64,CONTENT"),
        ("data:image/png;base64,a", r"1 characters of content are not base64"),
        ("data:image/png;base64,aG%k", r"not base64"),
        ("data:image/png;base64,häh=", r"not base64"),
        ("data:image/png;base64,", r"0 bytes; at least one is needed"),
        ("data:,", r"0 bytes"),
        ("data:image/png;base64," + "%" * 5000, r"5000 characters of content are not base64"),
    ],
)
def test_a_broken_data_url_is_refused(url: str, words: str) -> None:
    with pytest.raises(MediaError, match=words) as caught:
        prepare_image(url)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_data_url_over_the_limit_is_refused_before_it_is_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gemma4.media.source.MAX_INLINE_BYTES", 100)
    with pytest.raises(MediaError, match="has 135 characters, the limit is 100; save the medium"):
        prepare_image("data:image/png;base64," + "A" * 113)


@pytest.mark.parametrize(
    "url", ["http://example.org/a.png", "HTTPS://example.org/a.png", "ftp://h/a", "file:///etc/x"]
)
def test_other_urls_are_not_fetched(url: str) -> None:
    scheme = url.split(":")[0].lower()
    with pytest.raises(MediaError, match=f"{scheme} URLs are not fetched; download the file"):
        prepare_image(url)


def test_missing_empty_and_odd_files_are_refused(tmp_path: Path) -> None:
    empty = tmp_path / "empty.png"
    empty.touch()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for source, words in [
        (tmp_path / "none.png", r"none.png cannot be read: No such file or directory; check"),
        (tmp_path, "is a directory; give one file in it"),
        (empty, "0 bytes; the file is empty"),
        (pipe, "is no regular file and may never end"),
        ("/dev/zero", "is no regular file and may never end"),
        ("a\0b.png", "cannot be read: .*null"),
        ("x" * 5000, "cannot be read: File name too long"),
        (b"", "the given bytes: 0 bytes"),
    ]:
        with pytest.raises(MediaError, match=words) as caught:
            resolve_source(source)
        assert len(str(caught.value)) < 400


def test_path_string_bytes_and_views_give_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"content")
    for source in (path, str(path), b"content", bytearray(b"content"), memoryview(b"content")):
        resolved = resolve_source(source)
        with resolved.open() as stream:
            assert stream.read() == b"content"


def test_a_file_that_vanishes_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"content")
    resolved = resolve_source(path)
    path.unlink()
    with pytest.raises(MediaError, match="No such file or directory"):
        resolved.open()
