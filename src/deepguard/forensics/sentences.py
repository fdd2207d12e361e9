"""What detection says to people, in Korean and English: for evidence files, which are read far from any page."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

from deepguard.forensics.verdict import Threshold, Word
from deepguard.types import Note

Pair: TypeAlias = tuple[str, str]
"""The same in Korean and in English."""

WORDS: Mapping[Word, Pair] = MappingProxyType(
    {
        Word.LIKELY_FAKE: ("가짜일 가능성이 높아요", "Likely fake"),
        Word.UNCERTAIN: ("어느 쪽인지 확실하지 않아요", "Uncertain"),
        Word.LIKELY_REAL: ("진짜일 가능성이 높아요", "Likely real"),
        Word.CANNOT_JUDGE: ("판별할 수 없어요", "Cannot judge"),
    }
)
NOTES: Mapping[str, Pair] = MappingProxyType(
    {
        "no_face": ("얼굴을 찾지 못해서 판별할 것이 없어요.", "No face was found, so there is nothing to judge."),
        "not_judged": (
            "판별하지 못한 얼굴이 {count}개 있어요. 그 얼굴이 진짜인지 가짜인지는 알 수 없어요.",
            "Faces that could not be judged, which says nothing about them: {count}.",
        ),
        "small_face": ("얼굴이 너무 작아서 판별할 수 없어요.", "The face is too small to be judged."),
        "blurred": (
            "얼굴이 흐리거나 작은 것을 키운 것이라서 판별할 수 없어요.",
            "The face is too blurred, or was enlarged too much, to be judged.",
        ),
        "compressed": (
            "너무 많이 압축되어 있어서 판별할 수 없어요. 원본에 가까운 파일을 구해 보세요.",
            "It is compressed too much to be judged. Look for a copy closer to the original.",
        ),
        "drawing": (
            "사진이 아니라 그림처럼 보여서 판별하지 않아요.",
            "It looks like a drawing, and drawings are not judged.",
        ),
        "tampered": (
            "다시 압축하거나 줄이면 판별이 크게 달라져요. 판별을 속이려고 손댄 파일일 수 있어요.",
            "The verdict changes much when the file is compressed or made smaller. It may have been tampered with.",
        ),
        "disagreement": (
            "판별 모델들의 말이 서로 달라서 어느 쪽도 따르지 않았어요.",
            "The classifiers contradict each other, so neither is followed.",
        ),
        "uncalibrated": (
            "점수가 확률로 보정되지 않은 모델이 {count}개 있어요. 비교용으로만 보여 줘요.",
            "Classifiers whose figures are no probabilities and decide nothing: {count}.",
        ),
        "several_faces": (
            "얼굴 {count}개 가운데 가장 의심스러운 것의 판별이에요. 얼굴이 많을수록 잘못 의심하기 쉬워요.",
            "This is the verdict of the most suspicious face, out of so many: {count}. "
            "The more faces, the likelier a false alarm.",
        ),
        "seen_once": (
            "프레임 하나에서만 판별한 사람 가운데 가짜로 보이는 사람이 {count}명 있어요. "
            "영상 전체의 판별에는 넣지 않았으니 그 장면을 직접 확인해 보세요.",
            "People called fake in the only frame in which they could be judged: {count}. "
            "They do not decide for the whole clip; look at these frames.",
        ),
        "many_faces": (
            "얼굴이 너무 많아서 모두 보지는 못했어요. 크게 나온 얼굴부터 봤어요.",
            "There are more faces than are looked at; the largest came first.",
        ),
        "states_ai": (
            "파일 스스로 AI로 만들거나 바꿨다고 밝히고 있어요.",
            "The file itself says that it was made or changed by AI.",
        ),
        "sampled": (
            "영상 전체에 고르게 퍼진 프레임 {count}개만 봤어요. 그 사이는 보지 않았어요.",
            "Frames that were looked at, spread over the whole clip: {count}. What lies between them was not.",
        ),
        "many_scenes": (
            "장면이 {count}개라서 살펴본 프레임보다 많아요. 더 많은 프레임을 보게 하면 빠짐없이 볼 수 있어요.",
            "Scenes: {count}, which is more than frames were looked at. Have more frames looked at to see all of them.",
        ),
        "broken_tail": (
            "영상 파일이 깨졌거나 잘려 있어서 읽을 수 있는 데까지만 봤어요.",
            "The clip is damaged or cut short, so only what can be read was looked at.",
        ),
        "short_clip": (
            "프레임이 {count}개뿐인 영상이라서 사진처럼 판별했어요.",
            "The clip has so few frames ({count}) that it was judged as pictures are.",
        ),
        "hdr": (
            "HDR 영상인데 보통 영상처럼 읽어서 색이 흐릿하게 보여요.",
            "The clip is HDR and was read as if it were not, so its colours look flat.",
        ),
    }
)
"""Code of a note or reason -> its sentence; the page says the same."""
NO_PROOF: Pair = (
    "이 기록은 그 자체로 증거가 되지 않아요. 프로그램이 본 것을 적었을 뿐이고, 틀릴 수 있어요.",
    "This record is no proof in itself. It states what a program found, and a program can be wrong.",
)


def told(note: Note) -> Pair:
    """Return what a note says; one that has no sentence here is told in English twice."""
    if note.code not in NOTES:
        return note.text, note.text
    korean, english = NOTES[note.code]
    return korean.replace("{count}", f"{note.count:,}"), english.replace("{count}", f"{note.count:,}")


def suspected(threshold: Threshold) -> Pair:
    """Return how often real pictures are suspected wrongly at this threshold."""
    share = f"{1000 * threshold.false_positive_rate:.0f}"
    return (
        f"이 기준에서는 진짜 사진 1,000장 중 {share}장을 가짜로 잘못 의심해요.",
        f"At this threshold, {share} of 1,000 real pictures are wrongly suspected of being fake.",
    )
