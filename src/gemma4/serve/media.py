"""Media that a client names: data in the request; what else may be read is the server's to say."""

import base64
import binascii
from pathlib import Path
from urllib.parse import unquote, urlsplit

from .errors import RequestError
from .fetching import MediaFetcher
from .settings import ServeSettings


def media_source(url: str, *, param: str, settings: ServeSettings) -> str | Path | bytes:
    """A `data:` URL as it is, a file under the media path, or the bytes that are at an http(s) URL.

    May block for as long as a fetch does.

    Raises:
        RequestError: another scheme, a file outside, or a URL that is not fetched.
    """
    scheme = url.partition(":")[0].lower()
    if scheme == "data":
        return url
    if scheme == "file":
        return _file(url, param=param, settings=settings)
    if scheme in ("http", "https") and settings.fetch_media:
        return MediaFetcher(settings.limits).fetch(url, param=param)
    if scheme in ("http", "https"):
        raise RequestError(
            f"{param}: {scheme} URLs are not fetched by this server; send the medium as a data: URL, "
            "or start it with --fetch-media",
            param=param,
        )
    raise RequestError(
        f"{param}: {url[:40]!r} is no data: URL; send the medium as one", param=param
    )


def decoded(data: str, *, param: str) -> bytes:
    """Bytes of base64, of either alphabet, with or without padding.

    Raises:
        RequestError: it is not base64.
    """
    text = "".join(data.split()).replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestError(f"{param} is no base64: {error}", param=param) from error


def _file(url: str, *, param: str, settings: ServeSettings) -> Path:
    if settings.media_path is None:
        raise RequestError(
            f"{param}: file:// is read only where the server was started with --media-path; "
            "send the medium as a data: URL",
            param=param,
        )
    root = settings.media_path.resolve()
    split = urlsplit(url)
    if split.netloc not in ("", "localhost"):
        raise RequestError(f"{param}: file:// URLs name files of this machine only", param=param)
    text = unquote(split.path)
    if "\0" in text:
        raise RequestError(f"{param}: a path has no NUL in it", param=param)
    path = Path(text).resolve()  # links followed: what counts is where the file really lies
    if not path.is_relative_to(root):
        raise RequestError(f"{param}: the file lies outside of the media path", param=param)
    if not path.is_file():
        raise RequestError(f"{param}: there is no such file below the media path", param=param)
    return path
