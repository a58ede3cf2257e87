"""Every failure a user can cause or meet, as one tree.

    Gemma4Error
    ├── InputError            exit 2, HTTP 400   what was asked cannot be done
    │   ├── ConfigError           a configuration that contradicts itself or is not understood
    │   ├── CheckpointError       a weight file that is damaged, hostile, incomplete or of another model
    │   ├── ModelNotFoundError    HTTP 404: no such model name, directory or file
    │   ├── MediaError            a picture, sound or video that cannot be used
    │   ├── TemplateError         a chat template that fails or does not end
    │   ├── MessageError          a conversation that does not make sense
    │   ├── SamplingError         a generation setting out of range
    │   ├── GrammarError          a schema, pattern or grammar that an answer cannot be held to
    │   └── ContextError          more tokens than the context holds
    ├── VerificationError     exit 1, HTTP 500   two runs that should agree do not
    └── EnvironmentFault      exit 1, HTTP 503   the machine's fault: disk, memory, network, a missing program
        ├── DownloadError         the network or the far side failed
        └── LockedError           another process is at it

A message is one line: what was found, what the limit is, what to do. The command line prints it and
exits with `exit_code`; a server answers with `http_status`.
"""


class Gemma4Error(Exception):
    """Base of every error meant for the user."""

    exit_code = 1
    http_status = 500


class InputError(Gemma4Error):
    """What was asked cannot be done as asked."""

    exit_code = 2
    http_status = 400


class ConfigError(InputError):
    """A configuration contradicts itself or is not understood."""


class CheckpointError(InputError):
    """A weight file is damaged, hostile, incomplete or belongs to another model."""


class ModelNotFoundError(InputError):
    """No model of this name, directory or file."""

    http_status = 404


class MediaError(InputError):
    """A picture, sound or video cannot be used.

    Args:
        where: which one, as whoever sent it calls it; the message begins with it.
    """

    def __init__(self, message: str, *, where: str = "") -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.where = where


class TemplateError(InputError):
    """A chat template fails or does not end."""


class MessageError(InputError):
    """A conversation does not make sense."""


class SamplingError(InputError):
    """A generation setting is out of its range."""


class GrammarError(InputError):
    """A schema, pattern or grammar that an answer cannot be held to.

    Args:
        pointer: JSON pointer to the place in a schema; empty for its root, None where there is no schema.
        keyword: of the schema, where one is at fault.
    """

    def __init__(
        self, message: str, *, pointer: str | None = None, keyword: str | None = None
    ) -> None:
        super().__init__(message)
        self.pointer = pointer
        self.keyword = keyword


class ContextError(InputError):
    """The prompt and the answer need more tokens than the context holds.

    Args:
        needed: tokens asked for.
        limit: tokens the context holds.
    """

    def __init__(self, message: str, *, needed: int, limit: int) -> None:
        super().__init__(message)
        self.needed = needed
        self.limit = limit


class VerificationError(Gemma4Error):
    """Two runs that should agree do not."""


class EnvironmentFault(Gemma4Error):
    """The machine cannot do it now: disk, memory, network or a missing program."""

    http_status = 503


class DownloadError(EnvironmentFault):
    """The network or the far side failed; what was fetched is kept and resumed."""


class LockedError(EnvironmentFault):
    """Another process is working on the same file."""
