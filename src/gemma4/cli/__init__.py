"""The command line. The only part that reads the environment; every command is a thin file."""

from .app import main

__all__ = ["main"]
