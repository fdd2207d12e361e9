"""What the service can do and within which limits, as its workers and its settings say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field
from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute, Session

from deepguard import __version__
from deepguard.errors import unknown
from deepguard.media.signatures import ClipContainer, Container
from deepguard.service.figures import live_workers
from deepguard.service.parts import Parts
from deepguard.service.tables import Worker
from deepguard.service.web.access import Reader
from deepguard.service.web.app import API, Open
from deepguard.service.web.faults import Fault
from deepguard.service.web.shapes import problems

LOOKED_AT = 50
"""How many workers, the last started first, are asked for what they published."""

router = APIRouter(prefix=API, tags=["catalogue"])
KindName = Annotated[str, Path(description="name of the kind", examples=["protect"])]


class Preset(BaseModel):
    """A named set of options."""

    name: str = Field(description="value of the option `preset`", examples=["balanced"])
    summary: str = Field(description="one sentence", examples=["a change that is faint"])
    options: dict[str, Any] = Field(description="the options that it stands for", examples=[{"steps": 40}])


class Kind(BaseModel):
    """One kind of job."""

    name: str = Field(description="name in the API", examples=["protect"])
    summary: str = Field(description="one sentence", examples=["Hides the faces of a photo from face detectors."])
    options: Annotated[dict[str, Any], Field(serialization_alias="schema")] = Field(
        description="JSON schema (2020-12) of the options", examples=[{"type": "object", "properties": {}}]
    )
    presets: list[Preset] = Field(description="named sets of options")
    results: list[str] = Field(description="names of the files that it makes", examples=[["picture", "log"]])
    clips: bool = Field(False, description="whether it works on clips too", examples=[False])
    missing: dict[str, str] = Field(
        description="what would take part if its weights were here -> the command that brings it",
        examples=[{"scrfd": "deepguard models pull scrfd"}],
    )


class Kinds(BaseModel):
    """All kinds of job."""

    kinds: list[Kind] = Field(description="kinds of job")


class Model(BaseModel):
    """One model and whether it works."""

    name: str = Field(description="name", examples=["retinaface"])
    role: str = Field("", description="detector, classifier or measure", examples=["detector"])
    available: bool = Field(False, description="whether it takes part", examples=[True])
    summary: str = Field("", description="one sentence", examples=["finds faces of all sizes"])
    licence: str = Field("", description="licence of its weights", examples=["MIT"])
    missing: str = Field("", description="command that brings it, empty where it is here", examples=[""])
    fault: str = Field("", description="why it cannot be used, empty where it can", examples=[""])


class Models(BaseModel):
    """All models, and how many workers can use them."""

    models: list[Model] = Field(description="models; none while no worker has reported")
    workers: int = Field(description="workers that live", examples=[1])
    ready: int = Field(description="workers that have passed a real inference", examples=[1])


class Limits(BaseModel):
    """What may be sent, and for how long it is kept."""

    containers: list[str] = Field(description="formats of files that are taken", examples=[["JPEG", "PNG"]])
    upload_bytes: int = Field(description="largest picture in bytes", examples=[64 << 20])
    pixels: int = Field(description="largest picture in pixels", examples=[50_000_000])
    clip_containers: list[str] = Field(
        description="formats of clips that are taken, by the kinds of job that say so", examples=[["MP4", "MOV"]]
    )
    clip_bytes: int = Field(description="largest clip in bytes", examples=[256 << 20])
    clip_seconds: int = Field(description="longest clip in seconds", examples=[3600])
    clip_frames: int = Field(description="most frames of a clip that a job may look at", examples=[300])
    keep_hours: float = Field(description="hours until uploads and results are removed", examples=[24.0])
    keep_days: float = Field(description="days until the record of a removed job is forgotten", examples=[30.0])
    proof_seconds: int = Field(description="seconds until what the test bench made is removed", examples=[3600])
    job_seconds: int = Field(description="longest time that a job may run, in seconds", examples=[1800])
    queue_length: int = Field(description="most jobs that may wait in all", examples=[1000])
    queue_length_each: int = Field(description="most jobs of one visitor or key that may wait", examples=[600])
    jobs_per_day: int = Field(description="most jobs that you may start in a day", examples=[1000])
    rate: str = Field(description="most requests that you may make", examples=["1200/minute"])
    proof_rate: str = Field(description="most proofs that you may ask for", examples=["12/hour"])


class Version(BaseModel):
    """What answers here."""

    version: str = Field(description="version of the program", examples=["0.1.0"])
    api: str = Field(description="version of the API", examples=["v1"])


@router.get("/kinds", summary="List the kinds of job", responses=problems(503))
def list_kinds(parts: Open, visitor: Reader) -> Kinds:
    """Return each kind with its options, presets and results, as workers published them."""
    with parts.database.reading() as session:
        return Kinds(kinds=[_kind(each) for each in abilities(session).values()])


@router.get("/kinds/{kind}", summary="Show a kind of job", responses=problems(404, 503))
def show_kind(kind: KindName, parts: Open, visitor: Reader) -> Kind:
    """Return one kind with its options, presets and results."""
    with parts.database.reading() as session:
        known = abilities(session)
    if kind not in known:
        raise Fault("not_found", str(unknown("kind of job", kind, known)))
    return _kind(known[kind])


@router.get("/models", summary="List the models and their health", responses=problems())
def list_models(parts: Open, visitor: Reader) -> Models:
    """Return the detectors and measures that workers have, and which lack their weights."""
    with parts.database.reading() as session:
        health = _published(session, Worker.health).get("models", {})
        live = live_workers(session)
    models = [Model.model_validate({**each, "name": name}) for name, each in health.items()]
    return Models(models=models, workers=len(live), ready=sum(each.ready for each in live))


@router.get("/limits", summary="Show the limits", responses=problems())
def show_limits(parts: Open, visitor: Reader) -> Limits:
    """Return what may be sent, how much of it, and how long it is kept."""
    settings = parts.settings
    return Limits(
        containers=list(get_args(Container)),
        upload_bytes=settings.upload_bytes,
        pixels=settings.pixels,
        clip_containers=sorted(frozenset(get_args(ClipContainer)) - frozenset(get_args(Container))),
        clip_bytes=settings.clip_bytes,
        clip_seconds=settings.clip_seconds,
        clip_frames=settings.clip_frames,
        keep_hours=settings.keep_hours,
        keep_days=settings.keep_days,
        proof_seconds=settings.proof_seconds,
        job_seconds=settings.job_seconds,
        queue_length=settings.queue_length,
        queue_length_each=settings.queue_length_each,
        jobs_per_day=visitor.jobs_per_day,
        rate=visitor.rate,
        proof_rate=settings.proof_rate,
    )


@router.get("/version", summary="Show the version", responses=problems())
def show_version(visitor: Reader) -> Version:
    """Return the version of the program and of its API."""
    return Version(version=__version__, api=API.rpartition("/")[2])


def abilities(session: Session) -> Mapping[str, Mapping[str, Any]]:
    """Return the kinds of job that workers published, by name; Fault("starting") before the first one has."""
    known = _published(session, Worker.abilities)
    if not known:
        raise Fault("starting", "no worker has reported yet; try again in a moment, or start one: deepguard worker")
    return known


def ability(session: Session, kind: str) -> Mapping[str, Any]:
    """Return one published kind; OptionError with the nearest name where there is none."""
    known = abilities(session)
    if kind not in known:
        raise unknown("kind of job", kind, known)
    found: Mapping[str, Any] = known[kind]
    return found


def ability_of(parts: Parts, kind: str) -> Mapping[str, Any]:
    """Return one published kind; OptionError or Fault where there is no such kind (yet)."""
    with parts.database.reading() as session:
        return ability(session, kind)


def takes_clips(ability: Mapping[str, Any]) -> bool:
    """Return whether a published kind works on clips too; workers of an earlier version say nothing of it."""
    return bool(ability.get("clips"))


def _published(session: Session, column: InstrumentedAttribute[dict[str, Any]]) -> dict[str, Any]:
    """Return the last word on something that workers publish; that of a dead one counts where nobody spoke later."""
    rows = session.scalars(select(column).order_by(Worker.started.desc(), Worker.name).limit(LOOKED_AT))
    return next(filter(None, rows), {})


def _kind(ability: Mapping[str, Any]) -> Kind:
    return Kind.model_validate({**ability, "options": ability["schema"], "clips": takes_clips(ability)})
