"""The evidence record as a PDF of A4 pages."""

from __future__ import annotations

import datetime
import io
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from fpdf import FPDF, FontFace
from fpdf.enums import XPos, YPos

from deepguard.forensics.evidence import (
    Shot,
    check_rows,
    clock,
    file_rows,
    interval,
    share,
    verdict_rows,
)
from deepguard.forensics.report import Detection
from deepguard.forensics.sentences import NO_PROOF, WORDS, Pair, told
from deepguard.forensics.verdict import Word
from deepguard.media.lettering import FONT_FILE

Colour: TypeAlias = tuple[int, int, int]

FONT = "hangul"
MARGIN, WIDTH = 18.0, 174.0
"""Millimetres on an A4 page."""
INK: Colour = (22, 26, 34)
PAPER: Colour = (255, 255, 255)
SOFT: Colour = (86, 94, 112)
LINE: Colour = (213, 218, 228)
COLOURS: dict[Word, Colour] = {
    Word.LIKELY_FAKE: (171, 32, 24),
    Word.UNCERTAIN: (127, 76, 0),
    Word.LIKELY_REAL: (18, 105, 58),
    Word.CANNOT_JUDGE: SOFT,
}
PADDING = (1, 2, 1, 0)
"""Millimetres around what a table's cell says: top, right, bottom, left."""
MOST_SHOTS, MOST_ROWS = 24, 120
"""Pictures, and rows of faces or persons, at most."""
SHOT = 40.0
"""Millimetres of a picture's width and height."""
HEADS: tuple[Pair, ...] = (
    ("번호", "No."),
    ("위치 · 때", "Place · time"),
    ("판별", "Verdict"),
    ("가짜일 확률", "Fake"),
    ("범위", "Interval"),
    ("이유", "Reasons"),
)
WIDTHS = (10, 28, 34, 20, 22, 60)


def document(report: Detection, moment: datetime.datetime, shots: Sequence[Shot]) -> bytes:
    """Return the record as a PDF; the same record at the same moment gives the same bytes.

    Args:
        report: what was found.
        moment: when, with the time zone of the place where it was.
        shots: the faces or frames that speak most, the most important first; at most `MOST_SHOTS` are shown.
    """
    pdf = _Sheet(moment)
    pdf.headline(("딥페이크 판별 기록", "Record of a deepfake check"))
    pdf.verdict(report)
    pdf.section(("파일", "File"))
    pdf.facts(file_rows(report.input))
    pdf.section(("판별", "Check"))
    pdf.facts(check_rows(report, moment))
    rows = list(verdict_rows(report, MOST_ROWS))
    if rows:
        pdf.section(("사람별", "Person by person") if report.tracks else ("얼굴별", "Face by face"), room=64)
        pdf.rows(rows)
        left = len(report.faces or report.tracks) - len(rows)
        if left:
            pdf.said((f"나머지 {left:,}명은 JSON 기록에 있어요.", f"{left:,} more are in the JSON record."))
    if shots:
        pdf.section(("가장 많이 말해 주는 장면", "What speaks most"))
        pdf.shots(shots[:MOST_SHOTS])
    if report.notes:
        pdf.section(("판별하지 않은 것과 알아 둘 것", "What was not judged, and notes"))
        for note in report.notes:
            pdf.said(told(note))
    pdf.section(("이 기록에 대하여", "About this record"))
    pdf.said(NO_PROOF)
    return bytes(pdf.output())


class _Sheet(FPDF):
    def __init__(self, moment: datetime.datetime) -> None:
        super().__init__(format="A4")
        self.add_font(FONT, fname=FONT_FILE)
        self._signs = frozenset(getattr(self.fonts[FONT], "cmap", ()))
        self.set_creation_date(moment)
        self.set_creator("Deepguard")
        self.set_title("Deepguard evidence record")
        self.set_lang("ko")
        self.set_margins(MARGIN, MARGIN)
        self.set_auto_page_break(auto=True, margin=MARGIN)
        self.add_page()

    def footer(self) -> None:
        self.set_y(-12)
        self._write(str(self.page_no()), 8, SOFT, align="C")

    def headline(self, pair: Pair) -> None:
        self._write(pair[0], 20, INK)
        self._write(pair[1], 11, SOFT)
        self.ln(3)

    def verdict(self, report: Detection) -> None:
        words = WORDS[report.word]
        self._write(words[0], 17, COLOURS[report.word])
        self._write(words[1], 11, COLOURS[report.word])
        if report.probability is None:
            return
        spoken = f"가짜일 확률 {share(report.probability)} ({interval(report.low, report.high)})"
        self._write(f"{spoken} · probability of fake, and its interval", 10, INK)
        self._scale(report)

    def section(self, pair: Pair, room: float = 24) -> None:
        # a heading alone at the foot of a page belongs to the next one
        if self.will_page_break(room):
            self.add_page()
        self.ln(4)
        self._write(f"{pair[0]} · {pair[1]}", 12, INK)
        self.set_draw_color(*LINE)
        self.line(MARGIN, self.get_y(), MARGIN + WIDTH, self.get_y())
        self.ln(1.5)

    def facts(self, rows: Iterable[tuple[Pair, str]]) -> None:
        self._style(9, INK)
        with self.table(
            col_widths=(52, 122),
            first_row_as_headings=False,
            borders_layout="NONE",
            line_height=4.4,
            padding=PADDING,
            text_align="LEFT",
            v_align="TOP",
        ) as table:
            for name, value in rows:
                row = table.row()
                row.cell("\n".join(dict.fromkeys(name)), style=FontFace(color=SOFT))
                row.cell(self._known(value))

    def rows(self, rows: Iterable[tuple[str, ...]]) -> None:
        self._style(8, INK)
        plain = FontFace(emphasis="", color=SOFT)
        with self.table(
            col_widths=WIDTHS,
            headings_style=plain,
            borders_layout="HORIZONTAL_LINES",
            line_height=4.2,
            padding=PADDING,
            text_align="LEFT",
            v_align="TOP",
        ) as table:
            table.row(["\n".join(head) for head in HEADS])
            for each in rows:
                table.row([self._known(cell) for cell in each])

    def shots(self, shots: Sequence[Shot]) -> None:
        for start in range(0, len(shots), 2):
            if self.will_page_break(SHOT + 8):
                self.add_page()
            top = self.get_y()
            for column, shot in enumerate(shots[start : start + 2]):
                self._shot(shot, MARGIN + column * WIDTH / 2, top)
            self.set_xy(MARGIN, top + SHOT + 8)

    def said(self, pair: Pair) -> None:
        for text, size, colour in zip(dict.fromkeys(pair), (10, 9), (INK, SOFT), strict=False):
            self._write(text, size, colour)
        self.ln(1)

    def _shot(self, shot: Shot, left: float, top: float) -> None:
        self.set_xy(left, top)
        when = "" if shot.time is None else f" · {clock(shot.time)}"
        heat = " · 의심하는 곳 / where it looks" if shot.heat else ""
        self._write(f"{shot.number}{when}{heat}", 8, SOFT)
        for place, picture in enumerate(filter(None, (shot.picture, shot.heat))):
            at = (left + place * (SHOT + 1), top + 5)
            self.image(io.BytesIO(picture), *at, w=SHOT, h=SHOT, keep_aspect_ratio=True)

    def _scale(self, report: Detection) -> None:
        """Draw the probability on a scale from 0 to 100 %, with its interval and the two thresholds."""
        top = self.get_y() + 2
        self.set_fill_color(233, 236, 242)
        self.rect(MARGIN, top, WIDTH, 4, style="F")
        if report.low is not None and report.high is not None:
            self.set_fill_color(*SOFT)
            self.rect(MARGIN + WIDTH * report.low, top + 1, max(0.4, WIDTH * (report.high - report.low)), 2, style="F")
        if report.probability is not None:
            self.set_fill_color(*COLOURS[report.word])
            self.ellipse(MARGIN + WIDTH * report.probability - 2, top, 4, 4, style="F")
        marks = report.threshold
        self.set_draw_color(*INK)
        for mark in (marks.real_to, marks.fake_from) if marks else ():
            self.line(MARGIN + WIDTH * mark, top - 1, MARGIN + WIDTH * mark, top + 5)
        self.set_fill_color(*PAPER)
        self.set_y(top + 6)
        self._style(8, SOFT)
        self.cell(WIDTH / 3, 4, "0 %  진짜 · real")
        self.cell(WIDTH / 3, 4, "|  기준 · thresholds", align="C")
        self.cell(WIDTH / 3, 4, "가짜 · fake  100 %", align="R", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def _known(self, text: str) -> str:
        """Return a text with the signs that the font lacks written out, as a file's name must be told whole."""
        signs = self._signs
        return "".join(each if ord(each) in signs or each == "\n" else f"<U+{ord(each):04X}>" for each in text)

    def _style(self, size: float, colour: Colour) -> None:
        self.set_font(FONT, size=size)
        self.set_text_color(*colour)

    def _write(self, text: str, size: float, colour: Colour, align: str = "L") -> None:
        self._style(size, colour)
        self.multi_cell(0, size * 0.5, self._known(text), align=align, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
