"""The command line of listening tests and their records: `python -m app COMMAND`; the Space is `python app.py`."""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import NoReturn

from app.errors import UserError

# command -> what it does, and the function that adds its arguments; modules are imported for the command that runs
COMMANDS = {
    "study": ("listening tests: make, check, import, open and close them", "app.studies.command:add_arguments"),
    "serve": ("the listening tests alone, without the speech engine", "app.studies_site:add_arguments"),
    "export": ("a study's data as CSV, Parquet or JSON", "app.studies.export_command:add_arguments"),
    "backup": ("all records and sounds in one file", "app.db.command:add_backup"),
    "restore": ("records and sounds from a backup", "app.db.command:add_restore"),
}


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line and leaves with 2."""

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {message} (see --help)", file=sys.stderr)
        raise SystemExit(2)


def parser(command: str) -> argparse.ArgumentParser:
    """The parser of one command; its `run` is what the command does with the options."""
    told, place = COMMANDS[command]
    module, _, function = place.partition(":")
    made = _Parser(prog=f"python -m app {command}", description=told)
    getattr(importlib.import_module(module), function)(made)
    return made


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0, or 2 after one line on stderr where the input is at fault."""
    given = sys.argv[1:] if arguments is None else arguments
    listing = "\n".join(f"  {name:<10}{told}" for name, (told, _) in COMMANDS.items())
    if given[:1] in (["-h"], ["--help"]):
        print(f"python -m app COMMAND [options]\n\n{listing}\n\nCOMMAND --help tells the options.")
        return 0
    if not given or given[0] not in COMMANDS:
        print(f"error: name a command, one of: {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    try:
        options = parser(given[0]).parse_args(given[1:])
        return options.run(options) or 0
    except UserError as error:
        print(f"error: {error.message}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
