"""What the sheet of a proof says, in Korean and English: numbers that were measured and what they mean, no more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from deepguard.prove.counterparts import counterpart
from deepguard.prove.proof import COMBINED, DELIVERED, ORIGINAL, Proof, Recognition, Swap

Language: TypeAlias = Literal["ko", "en"]

TITLE = {"ko": "얼굴을 바꿔치기해 보았어요", "en": "What a face swap gets from this photo"}
LEAD = {
    "ko": "똑같은 공격을 원본과 보호본에 한 번씩 하고, 나온 것을 나란히 놓았어요. "
    "아래의 합성은 시험으로만 만든 가짜예요.",
    "en": "The same attack, once on the original and once on the protected photo, side by side. "
    "The swaps below are fakes, made for this test only.",
}
ARMS = {"ko": ("원본", "보호본"), "en": ("Original", "Protected")}
NOTHING = {
    "ko": "얼굴을 찾지 못해서 바꿔치기를 해 볼 수 없었어요.",
    "en": "No face was found here, so there was nothing to swap.",
}
SWAPPERS: Mapping[str, Mapping[str, str]] = {
    "warp": {"ko": "오려서 구부려 붙이기", "en": "Cut, bend and paste"},
    "autoencoder": {"ko": "그 자리에서 학습한 신경망", "en": "A network trained on the spot"},
    "inswapper": {"ko": "사진 한 장이면 되는 프로그램", "en": "A program that needs one photo"},
}
MEANING = {
    "ko": "수치는 바꿔치기한 얼굴이 원본의 사람과 얼마나 닮았는지예요. 1에 가까울수록 닮은 거예요. "
    "부등호 뒤는 그 프로그램이 같은 사람이라고 하는 기준이에요. "
    "별표(*)가 붙은 프로그램은 보호할 때 속이려고 쓴 것이라 결과가 후하게 나와요.",
    "en": "The numbers say how like the person of the original the swapped face is, 1 at most; "
    "after each stands the limit above which that program says it is the same person. "
    "A star (*) marks programs that the protection was made to fool, which flatters the result.",
}
LIMITS = {
    "ko": "{date}에 여기 적힌 프로그램으로 잰 결과예요. 다른 프로그램이나 앞으로 나올 프로그램에서는 다를 수 있어요.",
    "en": "Measured on {date} with the programs named here. Others, and those still to come, may do better.",
}
STATED = {
    "self": {"ko": "본인 얼굴이라고 밝힌 사진이에요.", "en": "Stated to be the face of whoever asked for this sheet."},
    "agreed": {
        "ko": "얼굴 주인이 동의했다고 밝힌 사진이에요.",
        "en": "The owner of this face was stated to have agreed.",
    },
}
MADE = {
    "ko": "Deepguard {version} · 시험용 합성 · 다른 곳에 쓰지 마세요",
    "en": "Deepguard {version} · a test's composite · not for any other use",
}


def which_face(proof: Proof, face: int, language: Language) -> str:
    """Return which of the faces the sheet is of; empty where there is one."""
    count = len(proof.faces)
    if count < 2:
        return ""
    return {
        "ko": f"왼쪽에서 {face + 1}번째 얼굴이에요. 모두 {count}명 있어요.",
        "en": f"Face {face + 1} of {count}, from the left.",
    }[language]


def finding(proof: Proof, arm: str, face: int, language: Language) -> str:
    """Return how many detectors find the face in the arm's picture as delivered, and how many after retries."""
    rows = [row for row in proof.detections if row.detector != COMBINED]
    found = sum(row.found[arm][DELIVERED][face] for row in rows if DELIVERED in row.found.get(arm, {}))
    retried = sum(row.retried[arm][face] for row in rows if arm in row.retried)
    again = {"ko": f" 다시 시도하면 {retried}개.", "en": f" After retries: {retried}."} if retried > found else {}
    return {
        "ko": f"얼굴을 찾는 프로그램 {len(rows)}개 중 {found}개가 이 얼굴을 찾아요.",
        "en": f"{found} of {len(rows)} programs that look for faces find this one.",
    }[language] + again.get(language, "")


def recognising(proof: Proof, arm: str, face: int, language: Language) -> str:
    """Return how many encoders take the arm's face for the person of the original."""
    if arm == ORIGINAL:
        return {"ko": "비교의 기준이 되는 얼굴이에요.", "en": "The face that all others are compared with."}[language]
    known = [row.matched(arm, DELIVERED)[face] for row in proof.likenesses if DELIVERED in row.cosines.get(arm, {})]
    judged = [match for match in known if match is not None]
    return {
        "ko": f"누구인지 알아보는 프로그램 {len(judged)}개 중 {sum(judged)}개가 원본과 같은 사람이라고 해요.",
        "en": f"{sum(judged)} of {len(judged)} programs that know people by their faces take it for the same person.",
    }[language]


def swapping(swap: Swap, language: Language) -> str:
    """Return what the pictures below show."""
    label = SWAPPERS.get(swap.swapper, {}).get(language, swap.swapper)
    other = counterpart(swap.counterpart).name[language]
    return {
        "ko": f"{label} ({swap.swapper}): {other} 사진에 이 얼굴을 붙이면",
        "en": f"{label} ({swap.swapper}), onto the picture of {other}",
    }[language]


def outcome(proof: Proof, swap: Swap, arm: str, face: int, language: Language) -> str:
    """Return how many judges take the arm's swap for the victim; empty where nothing was swapped."""
    rows = [(row, _cosine(swap, row, arm, face)) for row in proof.likenesses]
    known = [(row.threshold, cosine) for row, cosine in rows if row.threshold is not None and cosine is not None]
    if not any(cosine is not None for _, cosine in rows):
        return ""
    if not known:
        return {"ko": "판정 기준을 잰 프로그램이 없어요.", "en": "No judge here has a measured limit."}[language]
    matched = sum(cosine > limit for limit, cosine in known)
    by_hand = _by_hand(swap, arm, face)
    return {
        "ko": ("얼굴을 못 찾아서 손으로 표시해 주었어요. " if by_hand else "")
        + f"판정 {len(known)}개 중 {matched}개가 원본의 사람이라고 해요.",
        "en": ("No face was found, so it was marked by hand. " if by_hand else "")
        + f"{matched} of {len(known)} judges take this for the person.",
    }[language]


def figures(proof: Proof, swap: Swap, arm: str, face: int, language: Language) -> list[str]:
    """Return a line for each judge: its name, the cosine, its limit, and what that means to it."""
    return [
        f"{row.encoder}{'*' * (row.attacked is True)}  {_meaning(row, cosine, language)}"
        for row in proof.likenesses
        if (cosine := _cosine(swap, row, arm, face)) is not None
    ]


def _meaning(row: Recognition, cosine: float, language: Language) -> str:
    if row.threshold is None:
        return f"{cosine:.2f} · " + {"ko": "기준 없음", "en": "no limit known"}[language]
    if cosine > row.threshold:
        return f"{cosine:.2f} > {row.threshold:.2f} · " + {"ko": "같은 사람", "en": "same person"}[language]
    return f"{cosine:.2f} ≤ {row.threshold:.2f} · " + {"ko": "다른 사람", "en": "somebody else"}[language]


def _cosine(swap: Swap, row: Recognition, arm: str, face: int) -> float | None:
    values = swap.cosines.get(arm, {}).get(DELIVERED, {}).get(row.encoder, ())
    return values[face] if face < len(values) else None


def _by_hand(swap: Swap, arm: str, face: int) -> bool:
    missed = swap.failed_extraction.get(arm, {}).get(DELIVERED, ())
    return face < len(missed) and missed[face]
