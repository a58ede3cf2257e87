"""Media that a client names: data in the request; what else may be read is the server's to say."""

import base64
import binascii
from pathlib import Path
from urllib.parse import unquote, urlsplit

from .errors import RequestError
from .settings import ServeSettings


def media_source(url: str, *, param: str, settings: ServeSettings) -> str | Path:
    """A `data:` URL as it is, or a file under the media path.

    Raises:
        RequestError: another scheme, or a file outside.
    """
    scheme = url.partition(":")[0].lower()
    if scheme == "data":
        return url
    if scheme == "file":
        return _file(url, param=param, settings=settings)
    if scheme in ("http", "https"):
        raise RequestError(
            f"{param}: {scheme} URLs are not fetched by this server; send the medium as a data: URL",
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
    path = Path(unquote(urlsplit(url).path)).resolve()
    if not path.is_relative_to(root):
        raise RequestError(f"{param}: the file lies outside of the media path", param=param)
    return path
