"""What every request passes before a route sees it: one small ASGI application around another."""
