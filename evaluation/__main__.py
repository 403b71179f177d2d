"""The command line: `python -m evaluation ...`."""

import argparse
import os
import sys
from typing import NoReturn

from evaluation.bundled import command as bundled
from evaluation.commands import calibrate, elo, mos, mushra, power
from evaluation.errors import InputError
from evaluation.metrics import attributes_command as attributes
from evaluation.metrics import command as metrics
from evaluation.reproduction import command as reproduction


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line and leaves with 2."""

    def error(self, message: str) -> NoReturn:
        print(f"{self.prog}: {message} (see --help)", file=sys.stderr)
        raise SystemExit(2)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, or 2 after one line on stderr where the input is at fault."""
    parser = _Parser(prog="python -m evaluation", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    metrics.add_arguments(commands.add_parser("metrics", help="compare two folders of WAV files"))
    attributes.add_arguments(
        commands.add_parser("attributes", help="train a classifier of what captions of music name")
    )
    bundled.add_arguments(commands.add_parser("bundled", help="figures of the bundled models"))
    reproduction.add_arguments(commands.add_parser("reproduce", help="the paper's tables at our scale"))
    elo.add_arguments(commands.add_parser("elo", help="ratings from votes between two systems"))
    mos.add_arguments(commands.add_parser("mos", help="mean opinion scores"))
    mushra.add_arguments(commands.add_parser("mushra", help="MUSHRA results with post-screening"))
    calibrate.add_arguments(commands.add_parser("calibrate", help="whether the statistics keep their promises"))
    power.add_arguments(commands.add_parser("power", help="raters and items that a test needs"))
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of stdout left, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        print(f"error: Reading or writing{where} failed: {error.strerror or error}.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
