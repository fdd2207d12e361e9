"""Every screen of the page in the states that it can be in, for tests that look at all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from playwright.sync_api import Page, expect
from tests.e2e.checked import checked_clip, checked_in_vain, checked_photo
from tests.e2e.chromium import Windows, opened, ready, unfold
from tests.e2e.proofs import proved
from tests.e2e.stage import DETECTORS, Guest, Stage, really_found
from tests.service.kinds.proved import proof

from deepguard.media.sample import sample_file
from deepguard.service.kinds.roles import Done

FACE = ".protect-face"
Show = Callable[[Stage, Windows, dict[str, Any]], Page]


def start(stage: Stage, windows: Windows, how: dict[str, Any]) -> Page:
    """The first screen."""
    return opened(windows.open(stage.address, stage.guest(), **how))


def chosen(stage: Stage, windows: Windows, how: dict[str, Any]) -> Page:
    """A photo is chosen and its face is found."""
    page = start(stage, windows, how)
    with stage.finding(really_found()):
        page.locator("input[type=file]").first.set_input_files(sample_file())
        expect(page.locator(FACE)).to_be_visible()
    return page


def expert(stage: Stage, windows: Windows, how: dict[str, Any]) -> Page:
    """A photo is chosen, and everything that can be unfolded is."""
    return unfold(chosen(stage, windows, how))


def queued(stage: Stage, windows: Windows, how: dict[str, Any]) -> Page:
    """A job waits."""
    return _job(stage, windows, how, lambda job_id: None)


def running(stage: Stage, windows: Windows, how: dict[str, Any]) -> Page:
    """A job runs, and half of the detectors do not see the face any more."""
    seen = {name: place % 2 == 0 for place, name in enumerate(DETECTORS)}
    return _job(stage, windows, how, lambda job_id: stage.move(job_id, detectors=seen))


def result(stage: Stage, windows: Windows, how: dict[str, Any]) -> Page:
    """A job is done."""
    return _job(stage, windows, how, stage.finish)


def unfolded(stage: Stage, windows: Windows, how: dict[str, Any]) -> Page:
    """A job is done, and everything that can be unfolded is."""
    return unfold(result(stage, windows, how))


def shared(stage: Stage, windows: Windows, how: dict[str, Any]) -> Page:
    """A job is done, as somebody else sees it who has the link."""
    guest = stage.guest()
    job_id = stage.job(guest)
    stage.finish(job_id)
    return opened(windows.open(stage.address, **how), f"/jobs/{job_id}?share={stage.row(job_id).share}")


def detecting(stage: Stage, windows: Windows, how: dict[str, Any]) -> Page:
    """The first screen of a check."""
    return opened(windows.open(stage.address, stage.guest(), **how), "/detect")


def photo_checked(stage: Stage, windows: Windows, how: dict[str, Any]) -> Page:
    """A photo was checked: one face is suspicious, one cannot be judged."""
    return _checked(stage, windows, how, checked_photo())


def clip_checked(stage: Stage, windows: Windows, how: dict[str, Any]) -> Page:
    """A clip was checked, and everything that can be unfolded is."""
    return unfold(_checked(stage, windows, how, checked_clip()))


def unjudged(stage: Stage, windows: Windows, how: dict[str, Any]) -> Page:
    """A photo in which there is nothing to judge."""
    return _checked(stage, windows, how, checked_in_vain())


def proving(stage: Stage, windows: Windows, how: dict[str, Any]) -> Page:
    """What a proof is, for those who come without one."""
    return opened(windows.open(stage.address, stage.guest(), **how), "/prove")


def faces_proved(stage: Stage, windows: Windows, how: dict[str, Any]) -> Page:
    """A photo with two faces was proved, and everything that can be unfolded is."""
    guest = stage.guest()
    page = opened(windows.open(stage.address, guest, **how), f"/jobs/{proved(stage, guest, proof(2))}")
    page.locator("[aria-expanded=false]").click()
    return unfold(page)


def proof_seen(stage: Stage, windows: Windows, how: dict[str, Any]) -> Page:
    """A proof with its sheet; nobody knows which programs were attacked."""
    guest = stage.guest()
    job_id = proved(stage, guest, proof(known=False, statement="self"), sheet=True, statement="self")
    return opened(windows.open(stage.address, guest, **how), f"/jobs/{job_id}")


def failed(stage: Stage, windows: Windows, how: dict[str, Any]) -> Page:
    """A job has failed, as there is no face."""
    return _job(stage, windows, how, stage.fail)


def cancelled(stage: Stage, windows: Windows, how: dict[str, Any]) -> Page:
    """A job was cancelled."""
    return _job(stage, windows, how, stage.cancel)


def expired(stage: Stage, windows: Windows, how: dict[str, Any]) -> Page:
    """A job's files are gone."""

    def act(job_id: str) -> None:
        stage.finish(job_id)
        stage.expire(job_id)

    return _job(stage, windows, how, act)


def gone(stage: Stage, windows: Windows, how: dict[str, Any]) -> Page:
    """There is no such job: drawn by the server."""
    windows.expect("404")
    page = windows.open(stage.address, **how)
    page.goto("/jobs/nothing")
    return page


def archive(stage: Stage, windows: Windows, how: dict[str, Any]) -> Page:
    """An archive with a job in each state."""
    guest = stage.guest()
    several(stage, guest)
    return opened(windows.open(stage.address, guest, **how), "/archive")


def empty(stage: Stage, windows: Windows, how: dict[str, Any]) -> Page:
    """An archive of somebody who has done nothing yet."""
    return opened(windows.open(stage.address, stage.guest(), **how), "/archive")


def batch(stage: Stage, windows: Windows, how: dict[str, Any]) -> Page:
    """Several photos that were started at once."""
    guest = stage.guest()
    ids = several(stage, guest)[:3]
    return opened(windows.open(stage.address, guest, **how), f"/archive?jobs={','.join(ids)}")


def statistics(stage: Stage, windows: Windows, how: dict[str, Any]) -> Page:
    """Statistics of what was done here."""
    several(stage, stage.guest())
    return opened(windows.open(stage.address, stage.guest(), **how), "/statistics")


def help_page(stage: Stage, windows: Windows, how: dict[str, Any]) -> Page:
    """What it does and what it does not, drawn by the server."""
    page = windows.open(stage.address, **how)
    page.goto("/help")
    return page


def victims(stage: Stage, windows: Windows, how: dict[str, Any]) -> Page:
    """What to do about a fake of oneself, drawn by the server."""
    page = windows.open(stage.address, **how)
    page.goto("/victims")
    return page


SCREENS: Mapping[str, Show] = MappingProxyType(
    {
        each.__name__: each
        for each in (
            start, chosen, expert, queued, running, result, unfolded, shared, failed, cancelled, expired, gone,
            archive, empty, batch, statistics, help_page, detecting, photo_checked, clip_checked, unjudged, victims,
            proving, faces_proved, proof_seen,
        )
    }
)  # fmt: skip


def several(stage: Stage, guest: Guest) -> list[str]:
    """Return the ids of a guest's jobs: done, running, waiting, failed."""
    made = [stage.job(guest, name=name) for name in ("할머니 생신.png", "holiday.jpg", "우리 반.heic", "me.webp")]
    stage.finish(made[0])
    stage.move(made[1], share=0.4)
    stage.fail(made[3])
    return made


def _checked(stage: Stage, windows: Windows, how: dict[str, Any], done: Done) -> Page:
    guest = stage.guest()
    job_id = stage.job(guest, kind="detect", options={}, name=done.made[0].filename.replace(".detection.json", ".png"))
    stage.finish(job_id, done)
    return ready(opened(windows.open(stage.address, guest, **how), f"/jobs/{job_id}"))


def _job(stage: Stage, windows: Windows, how: dict[str, Any], act: Callable[[str], None]) -> Page:
    guest = stage.guest()
    job_id = stage.job(guest)
    act(job_id)
    return ready(opened(windows.open(stage.address, guest, **how), f"/jobs/{job_id}"))
