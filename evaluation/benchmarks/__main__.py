"""`python -m evaluation.benchmarks NAME [--json] [options]`: a dispatcher; each benchmark is a module with `main`."""

import importlib
import pkgutil
import sys
from pathlib import Path

from evaluation.errors import InputError


def benchmark_names() -> list[str]:
    """The benchmarks there are: the public modules beside this one."""
    found = (module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]))
    return sorted(name for name in found if not name.startswith("_"))


def main(arguments: list[str] | None = None) -> int:
    """Run the named benchmark with the rest of the arguments; returns the exit status, 2 for an unknown name."""
    given = sys.argv[1:] if arguments is None else arguments
    names = benchmark_names()
    if given[:1] in (["-h"], ["--help"]):
        print(f"python -m evaluation.benchmarks NAME [--json] [options]\nNAME is one of: {', '.join(names)}")
        return 0
    if not given or given[0] not in names:
        print(f"error: name a benchmark, one of: {', '.join(names)}", file=sys.stderr)
        return 2
    try:
        return importlib.import_module(f"evaluation.benchmarks.{given[0]}").main(given[1:]) or 0
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    raise SystemExit(main())
