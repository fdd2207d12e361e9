"""Addresses of this service as they are reached from outside."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import quote

import psutil
from starlette.requests import HTTPConnection

from deepguard.service.web.app import API, parts_of
from deepguard.service.web.faults import Fault

SECURE = {"https", "wss"}
VIRTUAL = ("docker", "br-", "veth", "virbr", "vmnet", "vboxnet", "cni", "flannel", "tun", "tap", "utun", "wg", "podman")
"""Beginnings of the names of network cards that no other machine is behind."""


def page_of(connection: HTTPConnection, job_id: str) -> str:
    """Return the address of a job's page."""
    return _outside(connection, _netloc(connection), f"/jobs/{job_id}")


def result_of(connection: HTTPConnection, job_id: str, name: str) -> str:
    """Return the address of one of a job's results."""
    return _outside(connection, _netloc(connection), f"{API}/jobs/{job_id}/results/{quote(name, safe='')}")


def upload_of(connection: HTTPConnection, upload_id: str) -> str:
    """Return the address of an upload in the API."""
    return _outside(connection, _netloc(connection), f"{API}/uploads/{upload_id}")


def job_of(connection: HTTPConnection, job_id: str) -> str:
    """Return the address of a job in the API."""
    return _outside(connection, _netloc(connection), f"{API}/jobs/{job_id}")


def phone_page_of(connection: HTTPConnection, job_id: str, share: str) -> str:
    """Return the address at which another machine finds a job's page without being its owner.

    Fault where it would not find it, because the service was reached by a name of this machine alone and listens
    for nobody else, or is in no network.
    """
    path = f"/jobs/{job_id}?share={quote(share, safe='')}"
    if not is_loopback(connection.url.hostname or ""):
        return _outside(connection, _netloc(connection), path)
    host = parts_of(connection).settings.host
    if is_loopback(host):
        raise Fault(
            "not_reachable", "the service listens for this machine alone; start it with HOST=0.0.0.0 to use other ones"
        )
    found = lan_address() if is_everywhere(host) else host
    if found is None:
        raise Fault("not_reachable", "this machine is in no network that another one could reach it by")
    port = f":{connection.url.port}" if connection.url.port else ""
    return _outside(connection, f"[{found}]{port}" if ":" in found else f"{found}{port}", path)


def is_loopback(host: str) -> bool:
    """Return whether a name or address means the machine itself."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def is_everywhere(host: str) -> bool:
    """Return whether who listens on a name or address listens on all of the machine's."""
    try:
        return not host or ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def lan_address() -> str | None:
    """Return this machine's address in its local network; None where there is none. Nothing is sent."""
    up = {name for name, card in psutil.net_if_stats().items() if card.isup}
    cards = {name: found for name, found in psutil.net_if_addrs().items() if name in up}
    return best_address(
        (name, each.address) for name, found in cards.items() for each in found if each.family == socket.AF_INET
    )


def best_address(candidates: Iterable[tuple[str, str]]) -> str | None:
    """Return the address, of pairs of card and address, that other machines most likely reach."""
    ranked = []
    for name, address in candidates:
        known = ipaddress.ip_address(address)
        if not (known.is_loopback or known.is_link_local):
            ranked.append((name.startswith(VIRTUAL), not known.is_private, not address.startswith("192.168."), address))
    return min(ranked)[-1] if ranked else None


def _netloc(connection: HTTPConnection) -> str:
    return connection.url.netloc


def _outside(connection: HTTPConnection, netloc: str, path: str) -> str:
    settings = parts_of(connection).settings
    # a websocket's page is reached by HTTP
    scheme = settings.scheme or ("https" if connection.url.scheme in SECURE else "http")
    return f"{scheme}://{netloc}{settings.root_path.rstrip('/')}{path}"
