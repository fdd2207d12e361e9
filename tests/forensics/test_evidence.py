"""The evidence record: what it tells, in both languages, and that it is a sound PDF."""

from __future__ import annotations

import dataclasses
import datetime
import io
import json
import re
import zlib

import pytest
from fontTools.ttLib import TTFont
from PIL import Image
from tests.service.kinds.verdicts import clip_found, face_verdict, photo_found

from deepguard.forensics import sheet
from deepguard.forensics.evidence import Shot, check_rows, clock, file_rows, interval, record, share, verdict_rows
from deepguard.forensics.sentences import NO_PROOF, NOTES, WORDS, Pair, told
from deepguard.forensics.sheet import document
from deepguard.forensics.verdict import Word
from deepguard.service.web.words import WORDS as PAGE
from deepguard.types import Note

SEOUL = datetime.timezone(datetime.timedelta(hours=9))
MOMENT = datetime.datetime(2026, 11, 21, 18, 30, 5, tzinfo=SEOUL)


def jpeg(size: int = 64) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (size, size), "orange").save(buffer, "JPEG")
    return buffer.getvalue()


def pages(data: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b", data))


def test_the_record_tells_the_moment_in_utc_and_with_the_local_offset() -> None:
    kept = record(clip_found().report, MOMENT)
    assert kept["checked"] == {"utc": "2026-11-21T09:30:05Z", "local": "2026-11-21T18:30:05+09:00"}
    assert kept["verdict"] == {"ko": WORDS[Word.LIKELY_FAKE][0], "en": "Likely fake"}
    assert kept["statement"] == {"ko": NO_PROOF[0], "en": NO_PROOF[1]}
    written = json.loads(json.dumps(kept, allow_nan=False))
    assert written["report"]["tracks"][0]["loudest"] == [5.0, 6.0, 4.0]


def test_the_rows_tell_file_hash_versions_thresholds_and_what_is_missing() -> None:
    report = clip_found().report
    text = "\n".join(value for _, value in (*file_rows(report.input), *check_rows(report, MOMENT)))
    for told_of in (
        "행사 영상.mp4", "ab" * 32, "1,234,567 bytes", "0:12.0, 300 frames", "0.2.0", "cd" * 32, "vit-deepfake-v2",
        "78 %", "28 of 1,000 real pictures", "kept back", "yunet, mtcnn", "2026-11-21T09:30:05Z",
    ):  # fmt: skip
        assert told_of in text, told_of


def test_each_face_or_person_has_a_row_with_its_reasons_in_both_languages() -> None:
    rows = list(verdict_rows(clip_found().report))
    assert [row[0] for row in rows] == ["1", "2"]
    assert (rows[0][1], rows[0][3]) == ("0:00.0 – 0:11.0", "90 %")
    assert NOTES["tampered"][0] in rows[0][5]
    assert NOTES["small_face"][1] in rows[1][5]
    assert rows[1][3:5] == ("–", "–")
    photo = list(verdict_rows(photo_found(face_verdict()).report))
    assert photo[0][1] == "x 188, y 62\n82 × 108 px"


def test_of_a_crowd_those_most_like_a_fake_have_rows_and_the_others_are_counted() -> None:
    report = clip_found().report
    crowd = [
        dataclasses.replace(track, number=2 * at + place)
        for at in range(sheet.MOST_ROWS)
        for place, track in enumerate(report.tracks)
    ]
    crowded = dataclasses.replace(report, tracks=tuple(crowd))
    rows = list(verdict_rows(crowded, 5))
    assert [row[0] for row in rows] == ["0", "2", "4", "6", "8"]
    assert len(list(verdict_rows(crowded))) == len(crowd)
    sentences: list[Pair] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sheet._Sheet, "said", lambda self, pair: sentences.append(pair))
        patch.setattr(sheet, "MOST_ROWS", 4)
        document(crowded, MOMENT, [])
    assert sentences[0][1] == f"{len(crowd) - 4} more are in the JSON record."


def test_figures_are_whole_percents_and_absent_ones_a_dash() -> None:
    assert (share(0.905), share(None)) == ("90 %", "–")
    assert (interval(0.1, 0.96), interval(None, 0.5)) == ("10–96 %", "–")
    assert (clock(0), clock(75.25), clock(3600)) == ("0:00.0", "1:15.2", "60:00.0")
    assert (clock(59.97), clock(59.94)) == ("1:00.0", "0:59.9")


def test_no_probability_is_told_as_none_or_all() -> None:
    assert (share(0.0), share(0.9999), interval(0.001, 1.0)) == ("1 %", "99 %", "1–99 %")


def test_the_document_is_a_pdf_whose_bytes_follow_from_what_it_tells() -> None:
    found = clip_found()
    shots = [Shot(1, jpeg(), jpeg(), 5.0), Shot(1, jpeg(), None, 6.0), Shot(2, jpeg())]
    data = document(found.report, MOMENT, shots)
    assert data.startswith(b"%PDF")
    assert data.rstrip().endswith(b"%%EOF")
    assert pages(data) == 2
    assert data.count(b"/Subtype /Image") >= 1
    assert document(found.report, MOMENT, shots) == data


@pytest.mark.parametrize("name", ["x" * 300, "영상😀\U0001f9ff.mp4", "a\tb\u202eexe.mp4", ""])
def test_any_name_and_any_number_of_shots_are_taken(name: str, caplog: pytest.LogCaptureFixture) -> None:
    report = photo_found().report
    named = dataclasses.replace(report, input=dataclasses.replace(report.input, name=name))
    shots = [Shot(1, jpeg(8))] * (sheet.MOST_SHOTS + 5)
    assert pages(document(named, MOMENT, shots)) >= 2
    # a sign that the font lacks is written out instead
    assert caplog.records == []


def test_a_file_that_cannot_be_judged_has_no_scale() -> None:
    drawn = [zlib.decompress(each) for each in _streams(document(photo_found().report, MOMENT, []))]
    judged = [zlib.decompress(each) for each in _streams(document(photo_found(face_verdict()).report, MOMENT, []))]
    # circles are drawn of curves, and there are none but the scale's
    assert not any(b" c\n" in each for each in drawn)
    assert any(b" c\n" in each for each in judged)


def test_the_record_and_the_page_say_the_same() -> None:
    for code, pair in NOTES.items():
        assert PAGE[f"note.{code}"] == pair, code
    for word, pair in WORDS.items():
        assert PAGE[f"verdict.{word}"] == pair


def test_a_note_without_a_sentence_is_told_as_it_came() -> None:
    assert told(Note("brand_new", "something new")) == ("something new", "something new")
    assert told(Note("sampled", "", 1234))[1].startswith(
        "Frames that were looked at, spread over the whole clip: 1,234"
    )


def test_the_font_has_every_syllable_and_does_not_bear_the_reserved_name() -> None:
    font = TTFont(sheet.FONT_FILE)
    assert set(range(0xAC00, 0xD7A4)) <= set(font.getBestCmap())
    names = {each.nameID: str(each) for each in font["name"].names}
    assert "Nanum" not in names[1] + names[4] + names[6]
    assert "SIL Open Font License" in names[13]
    assert "SIL OPEN FONT LICENSE" in (sheet.FONT_FILE.parent / "OFL.txt").read_text(encoding="utf-8")


def _streams(data: bytes) -> list[bytes]:
    found = re.findall(rb"/Filter /FlateDecode\n/Length \d+\n>>\nstream\n(.*?)\nendstream", data, re.S)
    return [each for each in found if each[:1] == b"\x78"]
