"""Who asks: a program with a key, a browser with a visit's cookie, or a stranger; and how much they may ask.

What a caller must be told beside the answer - a new cookie, what is left of the rate - is put into `state.headers`,
from where the middleware takes it: so it is told also where the answer is an error or a stream.
"""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import secrets
from dataclasses import dataclass, replace
from typing import Annotated
from urllib.parse import urlsplit

import structlog
from fastapi import Depends, FastAPI, Request, WebSocket
from fastapi.security import HTTPBearer
from sqlalchemy import Insert, select, update
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from deepguard.service import keys
from deepguard.service.database import changed
from deepguard.service.parts import Parts
from deepguard.service.tables import Key, Quota, Visit, identifier, now
from deepguard.service.web.app import Open, parts_of
from deepguard.service.web.faults import Fault
from deepguard.service.web.rates import Allowance, Rates

log = structlog.get_logger(__name__)

COOKIE = "deepguard_visit"
COOKIE_SECONDS = 30 * 24 * 3600
VISITS = "60/minute; 600/hour"
"""New visits from one address; whoever drops the cookie to be new again gets no further than this."""
SEEN = datetime.timedelta(hours=1)
"""How often a sign of life of a visit or key is written."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
NETWORK_BITS = 64
"""What one subscriber has of the sixth version's addresses."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whoever asks. `owner` is "visit:<id>", "key:<id>", or "" while they own nothing.

    `address` is a hash, for counting; a program with a key has none, since its own quota is all that counts.
    """

    owner: str
    scopes: frozenset[str]
    rate: str
    jobs_per_day: int
    address: str = ""

    @property
    def admin(self) -> bool:
        """Whether they may see and do everything."""
        return keys.ADMIN in self.scopes


def install(app: FastAPI) -> None:
    """Give the application its counters; OptionError where the rate in the settings is none."""
    settings = app.state.parts.settings
    keys.check_setting("DEEPGUARD_RATE", settings.rate)
    keys.check_setting("DEEPGUARD_PROOF_RATE", settings.proof_rate)
    app.state.rates = Rates(settings.broker)


def reader(request: Request, parts: Open) -> Visitor:
    """Return who asks, and count the request; nothing is created. 401 for a wrong key, 403 from another site, 429."""
    return _admitted(request, parts)


Reader = Annotated[Visitor, Depends(reader)]


async def owner(request: Request, visitor: Reader, parts: Open) -> Visitor:
    """Return who asks, as somebody who can own something: a stranger becomes a visit and is sent its cookie."""
    if visitor.owner:
        return visitor
    return await run_in_threadpool(_visiting, request, visitor, parts)


def _visiting(request: Request, visitor: Visitor, parts: Parts) -> Visitor:
    _count(request, VISITS, f"visits {visitor.address}")
    token = secrets.token_urlsafe(32)
    visit = Visit(id=identifier(), token_hash=keys.hashed(token))
    with parts.database.writing() as session:
        session.add(visit)
    _hand_cookie(request, parts, token)
    return replace(visitor, owner=f"visit:{visit.id}")


Owner = Annotated[Visitor, Depends(owner)]

_documented = HTTPBearer(auto_error=False, description="A key with the scope `admin`; also as `X-API-Key`.")


async def admin(visitor: Reader, described: Annotated[object, Depends(_documented)]) -> Visitor:
    """Return who asks if they may administer; 401 without a key, 403 with one that may not."""
    if visitor.admin:
        return visitor
    if visitor.owner.startswith("key:"):
        raise Fault("forbidden", "this key may not administer; use one that was made with --admin")
    raise Fault("key_required", "this needs a key; send it as: Authorization: Bearer dg_...")


Admin = Annotated[Visitor, Depends(admin)]


def of_websocket(websocket: WebSocket) -> Visitor:
    """Return who opens a websocket, and count it, like `reader`. It waits for the database: call it in a thread."""
    return _admitted(websocket, parts_of(websocket))


def spend(session: Session, visitor: Visitor) -> None:
    """Count one job of today, in the caller's transaction; Fault "quota" where no more are left until UTC midnight.

    A visit's jobs count for its address too, so that dropping the cookie does not help.
    """
    moment = now()
    for who in filter(None, (visitor.owner, visitor.address)):
        if not _spent(session, who, moment.date().isoformat(), visitor.jobs_per_day):
            midnight = datetime.datetime.combine(moment.date(), datetime.time(), datetime.UTC) + datetime.timedelta(1)
            raise Fault(
                "quota",
                f"the {visitor.jobs_per_day} jobs of today are used up; "
                f"there are more from {midnight:%Y-%m-%d %H:%M} UTC on",
                after=(midnight - moment).total_seconds(),
                jobs_per_day=visitor.jobs_per_day,
            )


def _admitted(connection: HTTPConnection, parts: Parts) -> Visitor:
    token = _token(connection)
    if token is None:
        _refuse_other_sites(connection)
        visitor = _browser(connection, parts)
        _count(connection, visitor.rate, visitor.owner or visitor.address)
        return visitor
    program = _program(parts, token)
    if program is None:
        # guesses are counted too
        _count(connection, parts.settings.rate, f"guesses {_address(connection)}")
        raise Fault("key_wrong", "the key is wrong or was revoked; ask the operator for another")
    _count(connection, program.rate, program.owner)
    return program


def _token(connection: HTTPConnection) -> str | None:
    scheme, _, value = connection.headers.get("authorization", "").partition(" ")
    # other schemes are a proxy's affair
    return value.strip() if scheme.lower() == "bearer" else connection.headers.get("x-api-key")


def _program(parts: Parts, token: str) -> Visitor | None:
    with parts.database.reading() as session:
        key = keys.find(session, token)
    if key is None:
        return None
    if key.used is None or now() - key.used > SEEN:
        _touch(parts, key)
    return Visitor(f"key:{key.id}", frozenset(key.scopes), key.rate, key.jobs_per_day)


def _browser(connection: HTTPConnection, parts: Parts) -> Visitor:
    settings = parts.settings
    nobody = Visitor("", frozenset({keys.JOBS}), settings.rate, settings.jobs_per_day, _address(connection))
    token = connection.cookies.get(COOKIE)
    if not token:
        return nobody
    with parts.database.reading() as session:
        visit = session.scalar(select(Visit).where(Visit.token_hash == keys.hashed(token)))
    if visit is None:
        return nobody
    if now() - visit.seen > SEEN and _touch(parts, visit):
        _hand_cookie(connection, parts, token)
    return replace(nobody, owner=f"visit:{visit.id}")


def _touch(parts: Parts, seen: Visit | Key) -> bool:
    change = (
        update(Visit).where(Visit.id == seen.id).values(seen=now())
        if isinstance(seen, Visit)
        else update(Key).where(Key.id == seen.id).values(used=now())
    )
    try:
        with parts.database.writing() as session:
            session.execute(change)
    except SQLAlchemyError:
        # whoever only reads must be able to while nothing can be written
        log.warning("a sign of life was not written")
        return False
    return True


def _address(connection: HTTPConnection) -> str:
    """Return a hash of the caller's address, so that none is stored; of its network in the sixth version."""
    host = connection.client.host if connection.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return _hashed_address(host)
    if isinstance(address, ipaddress.IPv4Address):
        return _hashed_address(str(address))
    if address.ipv4_mapped:
        return _hashed_address(str(address.ipv4_mapped))
    return _hashed_address(str(ipaddress.ip_network((int(address), NETWORK_BITS), strict=False)))


def _hashed_address(address: str) -> str:
    return f"addr:{hashlib.sha256(address.encode()).hexdigest()[:40]}"


def _refuse_other_sites(connection: HTTPConnection) -> None:
    """Browsers say where a request comes from; whoever comes from another site may not act in a visitor's name.

    A browser that says nothing of sites still says the origin. Ports are not compared: proxies often drop them.
    """
    if connection.scope["type"] == "http" and connection.scope["method"] in SAFE:
        return
    site = connection.headers.get("sec-fetch-site")
    origin = connection.headers.get("origin")
    if site is not None:
        own = site in {"same-origin", "none"}
    else:
        own = (
            origin is None or urlsplit(origin).hostname == urlsplit(f"//{connection.headers.get('host', '')}").hostname
        )
    if not own:
        raise Fault("forbidden", "this came from another site's page; programs on other sites need a key")


def _count(connection: HTTPConnection, rate: str, who: str) -> None:
    rates: Rates = connection.app.state.rates
    left: Allowance = rates.take(rate, who)
    if not left.allowed or "RateLimit-Limit" not in connection.state.headers:
        connection.state.headers |= {
            "RateLimit-Limit": str(left.limit),
            "RateLimit-Remaining": str(left.remaining),
            "RateLimit-Reset": str(round(left.reset)),
        }
    if not left.allowed:
        raise Fault("rate", f"too many requests; {rate} are allowed, try again in {left.reset:.0f} s", after=left.reset)


def _hand_cookie(connection: HTTPConnection, parts: Parts, token: str) -> None:
    settings = parts.settings
    secure = (settings.scheme or connection.url.scheme) in {"https", "wss"}
    path = settings.root_path.rstrip("/") or "/"
    connection.state.headers["Set-Cookie"] = (
        f"{COOKIE}={token}; HttpOnly; Max-Age={COOKIE_SECONDS}; Path={path}; SameSite=Lax"
        + ("; Secure" if secure else "")
    )


def _spent(session: Session, who: str, day: str, most: int) -> bool:
    one_more = update(Quota).where(Quota.owner == who, Quota.day == day, Quota.used < most).values(used=Quota.used + 1)
    if changed(session, one_more):
        return True
    session.execute(_first_of_day(session.get_bind().dialect.name, who, day))
    return changed(session, one_more) == 1


def _first_of_day(dialect: str, who: str, day: str) -> Insert:
    """Insert the row unless another request was faster; then that one is waited for."""
    row = {"owner": who, "day": day, "used": 0}
    if dialect == "postgresql":
        return postgresql.insert(Quota).values(row).on_conflict_do_nothing()
    if dialect == "sqlite":
        return sqlite.insert(Quota).values(row).on_conflict_do_nothing()
    # MySQL's INSERT IGNORE would share the lock on a row that is there, and two that then count would block each other
    return mysql.insert(Quota).values(row).on_duplicate_key_update(used=Quota.used)
