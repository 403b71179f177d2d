"""`python -m calm_core COMMAND`."""

from calm_core.cli import entry_point

if __name__ == "__main__":
    entry_point()
