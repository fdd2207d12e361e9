"""How the page is drawn: templates, the visitor's language, and what is told of a job in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from deepguard import __version__
from deepguard.service.states import ACTIVE, State
from deepguard.service.web import assets, views
from deepguard.service.web.app import API
from deepguard.service.web.closing import close_after, is_unread
from deepguard.service.web.words import LANGUAGES, Words, choose

FOLDER = Path(__file__).parent
LANGUAGE = "deepguard_language"
THEME = "deepguard_theme"
THEMES = frozenset({"light", "dark"})
LANGUAGE_SECONDS = 365 * 24 * 3600
AGAIN_SECONDS = 5
ROUNDED = 3
FOR_SCRIPTS = ("view", "thumbnail", "frames")
DETECT = "detect"
"""Results that nobody wants as a file."""
NOTES: Mapping[str, str] = {"no_landmarks": "result.unplaced"}
"""Codes of notes that another sentence tells than their own, which is of a proof."""
OF_THE_FILE = frozenset({"no_face", "input", "unreadable_image", "unsupported_image", "image_too_large", "option"})

_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(FOLDER / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def words_of(request: Request) -> Words:
    """Return the words in the language that the visitor asked for, now or before, or that the browser prefers."""
    asked = request.query_params.get("lang", "")
    kept = request.cookies.get(LANGUAGE, "")
    return Words(choose(asked if asked in LANGUAGES else kept, request.headers.get("accept-language", "")))


def root_of(request: Request) -> str:
    """Return the prefix below which the service is reached, such as "/deepguard"; empty where there is none."""
    root: str = request.app.state.parts.settings.root_path
    return root.rstrip("/")


def draw(
    request: Request,
    template: str,
    status: int = 200,
    *,
    refresh: int | None = None,
    stays: bool = False,
    **values: Any,
) -> HTMLResponse:
    """Return a page: plain, and what the scripts need to take over from it unless it `stays`.

    `refresh` is after how many seconds it is asked for again where no scripts run.
    """
    say = words_of(request)
    other = next(each for each in LANGUAGES if each != say.language)
    query = {"share": request.query_params["share"]} if "share" in request.query_params else {}
    asks = request.method in {"GET", "HEAD"}
    root = root_of(request)
    theme = request.cookies.get(THEME, "")
    common = {
        "say": say,
        "root": root,
        "refresh": refresh,
        "stays": stays,
        "theme": theme if theme in THEMES else "",
        "other": other,
        # relative, so that it leads back to this page below whatever prefix
        "other_language": ("" if asks else f"{root}/") + "?" + urlencode({"lang": other} | query),
        **_files(root),
        "boot": _boot(say, root),
        "tabs": [each for each in views.views() if each.tab],
        "path": request.url.path.removeprefix(root) or "/",
    }
    text = _templates.get_template(template).render(common | values)
    answer = (_Unread if is_unread(request) else HTMLResponse)(text, status)
    answer.headers["Content-Language"] = say.language
    answer.headers["Vary"] = "Accept-Language, Cookie"
    if request.query_params.get("lang") in LANGUAGES:
        answer.set_cookie(LANGUAGE, say.language, max_age=LANGUAGE_SECONDS, path=root or "/", samesite="lax")
    return answer


def fault_screen(request: Request, body: Mapping[str, Any], status: int, headers: Mapping[str, str]) -> Response:
    """Return the page for an error that has the API's shape. It asks no database: that may be what is down."""
    say = words_of(request)
    code = str(body["code"])
    passing = status in {429, 503}
    asked = request.method == "GET"
    # a job is somebody's own: on another device it is as if there were none
    job = asked and code == "not_found" and "/jobs/" in request.url.path
    title = {"starting": "starting.title", "not_found": "job.gone"}.get(code, "fault.title")
    answer = draw(
        request,
        "fault.html",
        status,
        refresh=AGAIN_SECONDS if asked and status == 503 else None,
        stays=True,
        title=say(title),
        reason=say("job.gone.never") if job else say.error(code),
        again=passing and asked,
        request_id=body["request_id"],
    )
    answer.headers.update(headers)
    return answer


def job_values(say: Words, job: Mapping[str, Any], root: str, share: str) -> dict[str, Any]:
    """Return what the job's template shows; `job` is the API's job, as JSON."""
    query = "?" + urlencode({"inline": "true"} | ({"share": share} if share else {}))
    files = {
        each["name"]: {
            "url": f"{root}{API}/jobs/{job['id']}/results/{quote(each['name'], safe='')}{query}",
            "filename": each["filename"],
            "title": say(key) if say.known(key := f"result.{each['name']}") else each["filename"],
        }
        for each in job["results"]
    }
    shown = ("picture", "comparison", "heatmap", "preview")
    others = [file for name, file in files.items() if name not in (*shown, *FOR_SCRIPTS)]
    return {
        "job": job,
        "active": job["state"] in ACTIVE,
        "percent": round(100 * job["progress"]["share"]),
        "heading": say(_state_key(say, job)),
        "stage": say(_stage_key(say, job)),
        **{name: files.get(name) for name in shown},
        "others": others,
        "sentences": list(_sentences(say, job["summary"])),
        "honest": say("detect.honest" if job["kind"] == DETECT else "result.honest"),
        "judged": job["kind"] == DETECT,
        "figures": _figures(say, job),
        "reason": say.error(job["error"]["code"]) if job["error"] else say.error("error"),
        "again": job["state"] == State.CANCELLED or (job["state"] == State.FAILED and not _by_file(job)),
        "tested": say("result.tested", when=job["ended"][:10]) if job["ended"] else "",
    }


def _files(root: str) -> dict[str, Any]:
    """Return what of the page's own files a page names: all styles, and the scripts that every view needs."""
    modules = [path for path in assets.assets() if path.startswith("core/") and path != "core/types.js"]
    return {"assets": assets.folder(root), "styles": views.styles(), "modules": sorted(modules)}


def _boot(say: Words, root: str) -> dict[str, Any]:
    return {
        "root": root,
        "assets": assets.folder(root),
        "version": __version__,
        "language": say.language,
        **views.for_scripts(),
    }


class _Unread(HTMLResponse):
    """A page for a browser that still sends what nobody will read."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await close_after(self, receive, send)


def _state_key(say: Words, job: Mapping[str, Any]) -> str:
    key = f"job.{job['kind']}.{job['state']}"
    return key if say.known(key) else f"job.{job['state']}"


def _stage_key(say: Words, job: Mapping[str, Any]) -> str:
    if job["state"] == State.QUEUED:
        return "stage.queued"
    # "verifying (instagram)" is told as "verifying"
    key = f"stage.{job['progress']['stage'].partition(' (')[0]}"
    return key if say.known(key) else "stage.working"


def _by_file(job: Mapping[str, Any]) -> bool:
    """Return whether a job failed because of its file: trying it again would change nothing."""
    return job["error"] is not None and job["error"]["code"] in OF_THE_FILE


def _sentences(say: Words, summary: Mapping[str, Any]) -> Iterator[str]:
    """Say in words how often faces were found and still are, and what was not tested; only what was measured."""
    if summary.get("verdict"):
        yield from _judged(say, summary)
    if summary.get("encoders"):
        yield from _recognised(say, summary)
    yield from _seen(say, summary)
    missing = summary.get("missing", ())
    if missing and not summary.get("verdict"):
        yield say("result.missing", names=", ".join(map(say.program, missing)))
    for note in summary.get("notes", ()):
        key = NOTES.get(note["code"], f"note.{note['code']}")
        yield say(key, count=note["count"]) if say.known(key) else note["text"]


def _seen(say: Words, summary: Mapping[str, Any]) -> Iterator[str]:
    """Say how often detectors find the faces: those that were attacked, then the others, then after posting."""
    before, after = summary.get("found_before"), summary.get("found_after")
    if before is not None and after is not None and not _left_alone(summary):
        yield _found(say, summary, before, after)
    judges = summary.get("judges")
    if judges:
        counts = {"before": judges["found_before"], "after": judges["found_after"]}
        yield say("result.judges", detectors=judges["detectors"], **counts)
        if _left_alone(summary) and judges["found_after"]:
            yield say("result.left.strong")
    posted = summary.get("found_posted", {})
    if before and posted and summary.get("faces", 1) == 1:
        places = [say("result.place", place=_place(say, name), count=count) for name, count in posted.items()]
        yield say("result.posted", places=", ".join(places))


def _left_alone(summary: Mapping[str, Any]) -> bool:
    """Return whether no detector was attacked, so that what they find is no result."""
    return summary.get("detectors") == 0


def _recognised(say: Words, summary: Mapping[str, Any]) -> Iterator[str]:
    """Say whom encoders take the faces for: those that were attacked, then the others."""
    count, known, faces = summary["encoders"], summary["known_after"], summary.get("faces", 1)
    if faces > 1:
        yield say("result.knows.many" if known else "result.knows.many.none", count=count, known=known, faces=faces)
    else:
        key = "none" if not known else "some" if known < count else "all"
        yield say(f"result.knows.{key}", count=count, known=known)
    held = summary.get("held_encoders", 0)
    if held:
        known = summary["held_known_after"]
        yield say("result.knows.held" if known else "result.knows.held.none", count=held, known=known)


def _judged(say: Words, summary: Mapping[str, Any]) -> Iterator[str]:
    """Say what a check came to, and how sure it is."""
    yield say(f"verdict.{summary['verdict']}")
    yield say(f"detect.means.{summary['verdict']}")
    if summary["probability"] is None:
        return
    share, low, high = (f"{min(99, max(1, round(100 * summary[name])))}%" for name in ("probability", "low", "high"))
    yield f"{say('detect.probability', share=share)} {say('detect.interval', low=low, high=high)}"


def _found(say: Words, summary: Mapping[str, Any], before: int, after: int) -> str:
    if before == 0:
        return say("result.hidden.before")
    faces = summary.get("faces", 1)
    if faces != 1:
        return say("result.hidden.many", before=before, after=after, faces=faces, detectors=summary["detectors"])
    key = "result.hidden.all" if after == 0 else "result.hidden.none" if after >= before else "result.hidden"
    return say(key, before=before, after=after)


def _place(say: Words, name: str) -> str:
    return say(key) if say.known(key := f"posting.{name}") else name


def _figures(say: Words, job: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the job's figures, each as what it is and its value."""
    summary = job["summary"]
    dull = {"detectors", "found_before", "found_after"} if _left_alone(summary) else set()
    told = {name: value for name, value in summary.items() if value is not None and say.known(f"figure.{name}")}
    rows = [(say(f"figure.{name}"), _value(say, name, value)) for name, value in told.items() if name not in dull]
    for name, count in () if dull else summary.get("found_posted", {}).items():
        rows.append((say("figure.posted", name=_place(say, name)), str(count)))
    return rows


def _value(say: Words, name: str, value: object) -> str:
    if name == "variant" and say.known(key := f"preset.{value}"):
        return say(key)
    return f"{value:.{ROUNDED}f}" if isinstance(value, float) else str(value)
