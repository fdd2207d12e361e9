"""The network: brings one weight file from the first of its sources that has it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pooch
import requests

from deepguard.errors import WeightsUnreachable
from deepguard.types import Progress, Watch, ignore
from deepguard.weights.catalogue import Weights

CHUNK_BYTES = 1 << 16


def download(
    weights: Weights,
    part: Path,
    fault: Callable[[Path], str],
    watch: Watch | None,
    timeout: tuple[float, float],
) -> None:
    """Write the file to `part`, from its start, or raise WeightsUnreachable naming each source and its failure.

    `fault` says what is wrong with a file that has arrived, or nothing; then the next source is tried.
    """
    failures = []
    for url in weights.urls:
        try:
            _bring(url, weights, part, watch or ignore, timeout)
            wrong = fault(part)
            if not wrong:
                return
            failures.append(f"{url} sent a file that {wrong}")
        except _Refused as refusal:
            failures.append(f"{url} {refusal}")
    raise WeightsUnreachable(
        f"no source delivered {weights.file} ({'; '.join(failures)}); "
        "try again later, or get the file elsewhere and run: deepguard models import DIR"
    )


class _Refused(Exception):
    """Why one source did not deliver."""


def _bring(url: str, weights: Weights, part: Path, watch: Watch, timeout: tuple[float, float]) -> None:
    downloader = pooch.HTTPDownloader(timeout=timeout, chunk_size=CHUNK_BYTES)
    try:
        with part.open("wb") as stream:
            arriving = _Arriving(stream, weights, watch)
            downloader(url, arriving, None)
    except requests.Timeout as error:
        waited = timeout[0] if isinstance(error, requests.ConnectTimeout) else timeout[1]
        raise _Refused(f"did not answer within {waited:g} seconds") from error
    except requests.HTTPError as error:
        raise _Refused(f"answered {str(error).partition(' for url')[0]}") from error
    except requests.exceptions.ProxyError as error:
        raise _Refused("cannot be reached through the proxy that the environment names") from error
    except requests.exceptions.ChunkedEncodingError as error:
        raise _Refused("broke off") from error
    except requests.ConnectionError as error:
        raise _Refused("fell silent midway" if arriving.done else "cannot be reached") from error
    except requests.RequestException as error:
        raise _Refused(f"failed ({type(error).__name__})") from error


class _Arriving:
    """A file that tells how much of it has arrived, and refuses more than was pinned."""

    def __init__(self, stream: BinaryIO, weights: Weights, watch: Watch) -> None:
        self._stream = stream
        self._weights = weights
        self._watch = watch
        self.done = 0

    def write(self, chunk: bytes) -> None:
        self.done += len(chunk)
        if 0 < self._weights.size < self.done:
            raise _Refused(f"sent more than {self._weights.size:,} bytes")
        self._stream.write(chunk)
        self._watch(Progress(self._weights.file, self.done, self._weights.size))

    def flush(self) -> None:
        self._stream.flush()
