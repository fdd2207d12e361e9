"""What came of a job that made encoders take faces for strangers'."""

from __future__ import annotations

import dataclasses
import re

import pytest
from playwright.sync_api import expect
from tests.e2e.choosing import BOTH, EN
from tests.e2e.chromium import Windows, looks_right, opened
from tests.e2e.stage import Stage
from tests.e2e.test_results_in_chromium import logged, report

from deepguard.service.kinds.roles import Done
from deepguard.service.web.words import Words

THRESHOLDS = {"c": None}
"""Encoder -> its threshold, where it is another than usual: nobody has calibrated this one."""


def recognising(stage: Stage, judged: bool, **cosines: list[float | None]) -> Done:
    """The stage's results as of a photo that hides from encoders alone: `a` and `b` are attacked, others judge.

    Where `judged`, the detector was found to see the face.
    """
    log = report(stage)
    versions = log["judgements"][0]["after"]
    likenesses = [
        {"encoder": name, "family": "f", "threshold": THRESHOLDS.get(name, 0.4), "after": dict.fromkeys(versions, each)}
        for name, each in cosines.items()
    ]
    faces = len(next(iter(cosines.values())))
    after = {name: {"found": [judged] * faces, "retry": None} for name in versions}
    judgements = [{**each, "before": [True] * faces, "after": after} for each in log["judgements"]]
    models = [{**each, "attacked": False} for each in log["models"]]
    models += [{"name": name, "attacked": name in "ab", "files": {}} for name in cosines]
    done = logged(stage, likenesses=likenesses, judgements=judgements, models=models)
    none = {"faces": faces, "detectors": 0, "found_before": 0, "found_after": 0, "found_posted": {}}
    return dataclasses.replace(done, summary={**done.summary, **none, "notes": []})


@pytest.mark.parametrize(("language", "width"), BOTH)
def test_where_encoders_alone_were_attacked_it_is_told_whom_they_take_the_face_for(
    stage: Stage, windows: Windows, language: str, width: int
) -> None:
    say = Words(language)
    guest = stage.guest()
    job_id = stage.job(guest)
    stage.finish(job_id, recognising(stage, True, a=[0.1], b=[0.2], c=[0.0], d=[0.7]))
    page = opened(windows.open(stage.address, guest, language=language, width=width), f"/jobs/{job_id}")
    expect(page.locator(".lead")).to_have_text(say("result.knows.none", count=2))
    words = page.locator(".result-words")
    expect(words).to_contain_text(say("result.knows.held", count=1, known=1))
    expect(words).to_contain_text(f"{say('result.left')} {say('result.left.strong')}")
    expect(page.locator("main")).not_to_contain_text(say("result.hidden.before"))
    expect(page.locator(".notice.warn")).to_have_count(0)
    expect(page.get_by_role("button", name=say("result.strength.more"))).to_be_visible()
    stranger, person, unknown = (say(f"result.chip.{each}") for each in ("stranger", "known", "unknown"))
    signs = [f"a{stranger}", f"b{stranger}", f"c{unknown}", f"d{person}", f"MTCNN{say('result.chip.seen')}"]
    expect(words.locator(".chip")).to_have_text(signs)
    looks = [re.compile(tone) for tone in ("good", "good", "^chip ?$", "warn", "warn")]
    expect(words.locator(".chip")).to_have_class(looks)
    table = page.get_by_role("table").filter(has_text=say("posting.instagram"))
    expect(table.get_by_role("row").filter(has_text=say("result.know"))).to_be_visible()
    uncalibrated = table.get_by_role("row").filter(has=page.get_by_role("rowheader", name="c", exact=True))
    expect(uncalibrated).to_contain_text(unknown)
    looks_right(page)


def test_nobody_is_said_to_be_fooled_by_what_some_still_know(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    all_fooled, known = stage.job(guest), stage.job(guest)
    stage.finish(all_fooled, recognising(stage, True, a=[0.1], d=[0.2]))
    page = opened(windows.open(stage.address, guest), f"/jobs/{all_fooled}")
    expect(page.locator(".result-words")).to_contain_text(EN("result.left.stranger"))
    expect(page.get_by_role("button", name=EN("result.strength.more"))).to_have_count(0)
    stage.finish(known, recognising(stage, True, a=[0.1], b=[0.5]))
    page = opened(page, f"/jobs/{known}")
    expect(page.locator(".lead")).to_have_text(EN("result.knows.some", count=2, known=1))
    expect(page.locator(".result-words")).not_to_contain_text(EN("result.left.stranger"))
    page.get_by_role("button", name=EN("result.strength.more")).click()
    expect(page.get_by_role("slider", name=EN("result.strength.label"))).to_be_focused()


def test_of_several_faces_the_one_that_is_known_counts(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    job_id = stage.job(guest)
    done = recognising(stage, False, a=[0.1, 0.5], b=[0.2, None])
    notes = [{"code": "no_landmarks", "text": "what the library says", "count": 0}]
    stage.finish(job_id, done, notes=notes)
    page = opened(windows.open(stage.address, guest), f"/jobs/{job_id}")
    expect(page.locator(".lead")).to_have_text(EN("result.knows.many", count=1, known=1, faces=2))
    words = page.locator(".result-words")
    expect(words).to_contain_text(EN("result.knows.unknown", count=1))
    expect(words).to_contain_text(EN("result.unplaced"))
    expect(words).not_to_contain_text(EN("result.left"))
    signs = [f"a{EN('result.chip.known.some', count=2, seen=1)}", f"b{EN('result.chip.unknown')}"]
    expect(words.locator(".chip").filter(has_not_text="MTCNN")).to_have_text(signs)


def test_without_its_log_a_result_tells_what_the_job_says(stage: Stage, windows: Windows) -> None:
    guest = stage.guest()
    job_id = stage.job(guest)
    done = recognising(stage, True, a=[0.1])
    counts = {"encoders": 2, "known_after": 0, "held_encoders": 2, "held_known_after": 1}
    found = {"detectors": 9, "found_before": 9, "found_after": 9, "found_posted": {}}
    done = dataclasses.replace(done, made=tuple(each for each in done.made if each.name != "log"))
    stage.finish(job_id, done, **counts, judges=found)
    windows.expect("404")
    page = opened(windows.open(stage.address, guest), f"/jobs/{job_id}")
    expect(page.locator(".lead")).to_have_text(EN("result.knows.none", count=2))
    words = page.locator(".result-words")
    expect(words).to_contain_text(EN("result.knows.held", count=2, known=1))
    expect(words).to_contain_text(f"{EN('result.left')} {EN('result.left.strong')}")
    page.locator("summary", has_text=EN("result.figures")).click()
    expect(page.get_by_role("rowheader", name=EN("figure.encoders"))).to_be_visible()
    expect(page.get_by_role("rowheader", name=EN("figure.found_before"))).to_have_count(0)
