"""`python -m transload`."""

import sys

from transload.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
