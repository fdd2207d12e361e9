"""`python -m benchmarks NAME ...`: run one benchmark; without a name, all of them with their defaults."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import benchmarks


def main(arguments: list[str]) -> None:
    """Run the benchmark named first with the remaining arguments."""
    names = sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__) if module.name[0] != "_")
    if arguments and arguments[0] not in names:
        sys.exit(f"there is no benchmark called {arguments[0]}; known are: {', '.join(names)}")
    for name in arguments[:1] or names:
        importlib.import_module(f"benchmarks.{name}").main(arguments[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
