"""Ask an address of the service whether it is well: exit 0, or 1 with what it said. For health checks of containers."""

from __future__ import annotations

import sys
import urllib.error
import urllib.request


def main(address: str) -> int:
    """Return 0 where the answer is 2xx."""
    try:
        with urllib.request.urlopen(address, timeout=8) as answer:  # noqa: S310 - the operator's own address
            print(answer.read(2000).decode(errors="replace"))  # noqa: T201 - its only way to say it
            return 0
    except urllib.error.HTTPError as error:
        print(error.read(2000).decode(errors="replace"))  # noqa: T201
    except OSError as error:
        print(f"{address} does not answer: {error}")  # noqa: T201
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
