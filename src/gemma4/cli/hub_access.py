"""Where models may be had, as the user's environment says."""

from ..hub.offer import HubAccess
from .settings import Settings


def hub_access(settings: Settings) -> HubAccess:
    """The hub and who asks; a token that the hub's own tools have stored is taken too."""
    from huggingface_hub import get_token

    token = None if settings.offline else settings.token or get_token()
    return HubAccess(endpoint=settings.endpoint, token=token, offline=settings.offline)
