"""Keys for programs: made, listed, revoked. Only a hash of each is kept; a key is shown once, when it is made."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from limits import parse_many
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from deepguard.errors import DeepguardError, OptionError
from deepguard.service.tables import Key, identifier, now

PREFIX = "dg_"
JOBS, ADMIN = "jobs", "admin"
MOST_JOBS = 2**31 - 1
NAME_LENGTH = 255
RATE_LENGTH = 64
HINT_LENGTH = len(PREFIX) + 6


class KeyMissing(DeepguardError):
    """There is no such key."""

    code = "not_found"


@dataclass(frozen=True, slots=True)
class Wish:
    """A key to be made: a name to tell it by, whether it may administer, and its own limits."""

    name: str
    rate: str
    jobs_per_day: int
    admin: bool = False


def hashed(token: str) -> str:
    """Return what is kept of a key or cookie; both are 32 random bytes, so that no salt or slow hash is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


def create(session: Session, wish: Wish) -> tuple[Key, str]:
    """Make a key; return its row and the key itself, which cannot be had again. OptionError names what is wrong."""
    name = wish.name.strip()
    if not name or len(name) > NAME_LENGTH or not name.isprintable():
        raise OptionError(f"a key's name is 1 to {NAME_LENGTH} printable characters")
    if not 1 <= wish.jobs_per_day <= MOST_JOBS:
        raise OptionError(f"a key's jobs per day are from 1 to {MOST_JOBS}")
    check_rate(wish.rate)
    token = PREFIX + secrets.token_urlsafe(32)
    key = Key(
        id=identifier(),
        name=name,
        hint=token[:HINT_LENGTH],
        token_hash=hashed(token),
        scopes=[JOBS, ADMIN] if wish.admin else [JOBS],
        rate=wish.rate,
        jobs_per_day=wish.jobs_per_day,
        created=now(),
    )
    session.add(key)
    return key, token


def check_rate(rate: str) -> None:
    """Raise OptionError where a rate is none."""
    try:
        windows = parse_many(rate)
    except ValueError:
        windows = []
    if not windows or len(rate) > RATE_LENGTH or any(each.amount < 1 or each.get_expiry() < 1 for each in windows):
        raise OptionError(f'{rate[:RATE_LENGTH]!r} is no rate; write one such as "60/minute" or "60/minute; 1000/day"')


def check_setting(name: str, rate: str) -> None:
    """Raise OptionError where the rate of the setting `name` is none."""
    try:
        check_rate(rate)
    except OptionError as error:
        raise OptionError(f"the setting {name} is wrong: {error}") from error


def find(session: Session, token: str) -> Key | None:
    """Return the key that this is; None where it is wrong or revoked."""
    return session.scalar(select(Key).where(Key.token_hash == hashed(token), Key.revoked.is_(None)))


def every(session: Session) -> Sequence[Key]:
    """Return all keys, revoked ones too, the newest first."""
    return session.scalars(select(Key).order_by(Key.created.desc(), Key.id)).all()


def revoke(session: Session, key_id: str) -> Key:
    """Make a key worthless from now on; a second time changes nothing. KeyMissing where there is none."""
    # only what may be an id is asked for: a database refuses some characters
    key = session.get(Key, key_id) if re.fullmatch("[0-9a-f-]{36}", key_id) else None
    if key is None:
        raise KeyMissing("there is no key with this id; see: deepguard keys list")
    session.execute(update(Key).where(Key.id == key_id, Key.revoked.is_(None)).values(revoked=now()))
    session.refresh(key)
    return key
