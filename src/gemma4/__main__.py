"""`python -m gemma4` is the `gemma4` command."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
