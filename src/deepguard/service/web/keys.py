"""Keys for programs, for whoever may administer."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from deepguard.service import keys
from deepguard.service.tables import Key
from deepguard.service.web.access import Admin
from deepguard.service.web.app import API, Open
from deepguard.service.web.shapes import ID, TIME, Given, Time, problems

router = APIRouter(prefix=f"{API}/keys", tags=["keys"], responses=problems(403))
KeyId = Annotated[str, Path(description="id of the key", examples=[ID])]


class NewKey(Given):
    """A key to be made."""

    name: Annotated[
        str, Field(min_length=1, max_length=keys.NAME_LENGTH, description="what to tell it by", examples=["photo desk"])
    ]
    admin: Annotated[bool, Field(description="whether it may administer: see every job, make keys")] = False
    rate: Annotated[
        str | None,
        Field(
            max_length=keys.RATE_LENGTH,
            description='such as "60/minute; 1000/day"; unset: as any visitor',
            examples=["120/minute"],
        ),
    ] = None
    jobs_per_day: Annotated[
        int | None,
        Field(ge=1, le=keys.MOST_JOBS, description="jobs in a UTC day; unset: as any visitor", examples=[500]),
    ] = None


class ShownKey(BaseModel):
    """A key, without the key itself."""

    id: Annotated[str, Field(description="identifier, by which it is revoked", examples=[ID])]
    name: Annotated[str, Field(description="what to tell it by", examples=["photo desk"])]
    hint: Annotated[str, Field(description="how the key begins", examples=["dg_J5xJdU"])]
    scopes: Annotated[list[str], Field(description="what it may do", examples=[["jobs"]])]
    rate: Annotated[str, Field(description="most requests", examples=["120/minute"])]
    jobs_per_day: Annotated[int, Field(description="most jobs in a UTC day", examples=[500])]
    created: Annotated[Time, Field(description="when it was made", examples=[TIME])]
    used: Annotated[Time | None, Field(description="last use, to the hour", examples=[TIME])]
    revoked: Annotated[Time | None, Field(description="when it was revoked, null while it is valid", examples=[None])]


class MadeKey(ShownKey):
    """A key that was just made, with the key itself."""

    token: Annotated[str, Field(description="the key; it is shown this one time", examples=["dg_J5xJdUeDXfB0"])]


class Keys(BaseModel):
    """All keys, the newest first."""

    keys: list[ShownKey] = Field(description="keys")


@router.get("", summary="List all keys")
def listed(visitor: Admin, parts: Open) -> Keys:
    """Return all keys, revoked ones too; never the keys themselves."""
    with parts.database.reading() as session:
        return Keys(keys=[ShownKey.model_validate(_shown(key)) for key in keys.every(session)])


@router.post("", status_code=201, summary="Make a key")
def create(wanted: NewKey, visitor: Admin, parts: Open) -> MadeKey:
    """Make a key and return it; it is shown this one time and cannot be had again."""
    settings = parts.settings
    wish = keys.Wish(
        wanted.name, wanted.rate or settings.rate, wanted.jobs_per_day or settings.jobs_per_day, wanted.admin
    )
    with parts.database.writing() as session:
        key, token = keys.create(session, wish)
    return MadeKey.model_validate({**_shown(key), "token": token})


@router.delete("/{key_id}", status_code=204, summary="Revoke a key", responses=problems(404))
def revoke(key_id: KeyId, visitor: Admin, parts: Open) -> None:
    """Make a key worthless from now on; a second time changes nothing."""
    with parts.database.writing() as session:
        keys.revoke(session, key_id)


def _shown(key: Key) -> dict[str, object]:
    return {name: getattr(key, name) for name in ShownKey.model_fields}
