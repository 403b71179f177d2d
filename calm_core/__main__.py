"""`python -m calm_core COMMAND`."""

import sys

from calm_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
