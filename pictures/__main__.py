"""`python -m pictures NAME`: make the pictures of one script; without a name, of all."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import pictures


def main(arguments: list[str]) -> None:
    """Make the pictures named first, or all."""
    names = sorted(module.name for module in pkgutil.iter_modules(pictures.__path__) if module.name[0] != "_")
    if arguments and arguments[0] not in names:
        sys.exit(f"there are no pictures called {arguments[0]}; known are: {', '.join(names)}")
    for name in arguments[:1] or names:
        importlib.import_module(f"pictures.{name}").main()


if __name__ == "__main__":
    main(sys.argv[1:])
