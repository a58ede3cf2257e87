"""The socket that a server listens at."""

import errno
import socket

from ...errors import EnvironmentFault


def listen(host: str, port: int) -> socket.socket:
    """Take an address.

    Raises:
        EnvironmentFault: it is in use, not allowed, or not this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise EnvironmentFault(
            f"{host} is no address of this machine ({error}); check --host"
        ) from error
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise EnvironmentFault(_why(error, host, port)) from error
    listener.setblocking(False)
    return listener


def url_of(listener: socket.socket, host: str) -> str:
    """How this machine's user reaches it."""
    port = listener.getsockname()[1]
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}"


def _why(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is in use; `gemma4 ps` shows this user's servers, --port takes another"
    if error.errno == errno.EACCES:
        return f"port {port} may not be used by this user; take one above 1023 with --port"
    return f"{host}:{port} cannot be listened at ({error.strerror}); check --host and --port"
