"""The plain page: a form, a job, its result. It works without JavaScript and says what it cannot do."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Path, Query, Request
from fastapi.responses import RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from deepguard.errors import OptionError
from deepguard.media.signatures import SUPPORTED
from deepguard.service import estimates
from deepguard.service import jobs as moves
from deepguard.service.jobs import WrongState
from deepguard.service.settings import ServiceSettings
from deepguard.service.tables import now
from deepguard.service.web import addresses, catalogue, jobs, multipart, shapes, uploads
from deepguard.service.web.access import Owner, Reader
from deepguard.service.web.app import API, Open
from deepguard.service.web.faults import Fault
from deepguard.service.web.options import check_options
from deepguard.service.web.screen import draw, fault_screen, job_values, root_of, words_of
from deepguard.service.web.views import views
from deepguard.service.web.visible import readable_job
from deepguard.service.web.words import Words

KIND = "protect"
ONCE = "once"
FIELDS: Mapping[str, str] = MappingProxyType(
    {"preset": "name of the preset", ONCE: "drawn with the form, so that sending it twice makes one job"}
)
ACCEPTED = "image/jpeg,image/png,image/webp,image/tiff,image/bmp,image/heic,image/heif,.heic,.heif,.tif,.tiff,.bmp"
WAIT_SECONDS = 5
WATCH_SECONDS = 2
MANY = 5
"""So many jobs before one's own are worth a word."""

router = APIRouter(include_in_schema=False)
JobId = Annotated[str, Path(max_length=200)]
Share = Annotated[str, Query(max_length=200)]


def install(app: FastAPI) -> None:
    """Show errors as a page to whoever asks for one; views without a plain page here say that they need scripts."""
    app.state.show_fault = fault_screen
    taken = {getattr(route, "path", "") for route in router.routes}
    for view in views():
        if view.path not in taken:
            app.get(view.path, include_in_schema=False)(_needs_scripts)


@router.get("/")
def start(request: Request, parts: Open, visitor: Reader, removed: bool = False) -> Response:
    """Show the form, or that no worker has reported yet."""
    say = words_of(request)
    with parts.database.reading() as session:
        try:
            ability: Mapping[str, Any] = catalogue.ability(session, KIND)
        except (Fault, OptionError):
            # no worker has reported, or none that protects
            ability = {"presets": ()}
        seconds = {
            each["name"]: estimates.estimate(session, ability, {"preset": each["name"]}, None).seconds
            for each in ability["presets"]
        }
        waiting = moves.waiting(session)
    presets = [_card(say, each, seconds[each["name"]]) for each in ability["presets"]]
    return draw(
        request,
        "start.html",
        refresh=None if presets else WAIT_SECONDS,
        presets=presets,
        waiting=waiting if waiting >= MANY else 0,
        limits=_limits(say, parts.settings),
        accept=ACCEPTED,
        removed=removed,
        once=secrets.token_urlsafe(16),
    )


@router.post("/", dependencies=[multipart.BODY])
async def send(request: Request, parts: Open, visitor: Owner) -> Response:
    """Take a picture, make a job of it, and lead to the job's page."""
    schema = (await run_in_threadpool(catalogue.ability_of, parts, KIND))["schema"]
    form = await multipart.open_form(request, parts.settings.upload_bytes, FIELDS)
    upload = await uploads.receive(parts, visitor, form, lambda whole: check_options(schema, _options(whole)))
    once = form.fields.get(ONCE, "")
    job_id = await run_in_threadpool(jobs.begin, request, visitor, KIND, upload, _options(form), once)
    return _to(request, f"/jobs/{job_id}")


@router.get("/jobs/{job_id}")
def job(request: Request, job_id: JobId, parts: Open, visitor: Reader, share: Share = "") -> Response:
    """Show a job: how far it is, or what came of it."""
    with parts.database.reading() as session:
        row = readable_job(session, visitor, job_id, share)
        shape = shapes.job_shape(session, row, request, visitor.owner)
        token = row.share
    own = visitor.admin or shape.share is not None
    values = job_values(words_of(request), shape.model_dump(mode="json"), root_of(request), "" if own else share)
    return draw(
        request,
        "job.html",
        refresh=WATCH_SECONDS if values["active"] else None,
        own=own,
        here=f"{root_of(request)}/jobs/{job_id}",
        qr=_code(request, job_id, token) if own and token else "",
        keeps=max(0.0, (shape.expires - now()).total_seconds()),
        **values,
    )


@router.post("/jobs/{job_id}/cancel")
def cancel(request: Request, job_id: JobId, parts: Open, visitor: Reader) -> Response:
    """Cancel a job; one that is over by now shows itself."""
    return _moved(request, job_id, lambda: jobs.cancel(request, job_id, parts, visitor))


@router.post("/jobs/{job_id}/retry")
def retry(request: Request, job_id: JobId, parts: Open, visitor: Reader) -> Response:
    """Queue a job again."""
    return _moved(request, job_id, lambda: jobs.retry(request, job_id, parts, visitor))


@router.post("/jobs/{job_id}/delete")
def delete(request: Request, job_id: JobId, parts: Open, visitor: Reader) -> Response:
    """Remove a job and its files now."""
    return _moved(request, job_id, lambda: jobs.delete(job_id, parts, visitor), "/?removed=true")


@router.get("/help")
def help_page(request: Request, parts: Open, visitor: Reader) -> Response:
    """Say what it does, what it does not do, and what it is tested against here."""
    models = catalogue.list_models(parts, visitor).models
    return draw(
        request,
        "help.html",
        stays=True,
        keeps=words_of(request).duration(parts.settings.keep_hours * 3600),
        detectors=[each for each in models if each.role == "detector"],
    )


@router.get("/victims")
def victims_page(request: Request, visitor: Reader) -> Response:
    """Say what somebody can do who has found a fake of themselves."""
    return draw(request, "victims.html", stays=True)


def _needs_scripts(request: Request) -> Response:
    """Show a view that only scripts draw, where none run."""
    return draw(request, "scripts.html")


def _card(say: Words, preset: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """Return what a preset's card says; one without words here says what the worker says of it."""
    key = f"preset.{preset['name']}"
    return {
        "name": preset["name"],
        "title": say(key) if say.known(key) else preset["name"],
        "summary": say(f"{key}.summary") if say.known(key) else preset["summary"],
        "seconds": seconds,
    }


def _limits(say: Words, settings: ServiceSettings) -> str:
    pixels = settings.pixels / (1e4 if say.language == "ko" else 1e6)
    return say(
        "start.limits",
        formats=SUPPORTED.replace(" or ", ", "),
        size=multipart.sized(settings.upload_bytes).replace("iB", "B"),
        pixels=say("unit.pixels", n=f"{pixels:,.4g}" if pixels < 1e4 else f"{pixels:,.0f}"),
        hours=say.duration(settings.keep_hours * 3600),
    )


def _options(form: multipart.Form) -> dict[str, str]:
    preset = form.fields.get("preset", "")
    return {"preset": preset} if preset else {}


def _moved(request: Request, job_id: str, move: Callable[[], object], to: str = "") -> Response:
    """Do what a button says and lead to `to`, or to the job; also where its state has changed meanwhile."""
    try:
        move()
    except WrongState:
        to = ""
    return _to(request, to or f"/jobs/{job_id}")


def _to(request: Request, path: str) -> Response:
    return RedirectResponse(f"{root_of(request)}{path}", 303)


def _code(request: Request, job_id: str, share: str) -> str:
    """Return where the QR code is drawn; "" where no other device would reach what it says."""
    try:
        addresses.phone_page_of(request, job_id, share)
    except Fault:
        return ""
    return f"{root_of(request)}{API}/jobs/{job_id}/qr.svg"
