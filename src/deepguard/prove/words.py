"""A proof in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from deepguard.prove.intervals import share_of
from deepguard.prove.proof import COMBINED, DELIVERED, NOISE, ORIGINAL, PROTECTED, Check, Detection, Proof, Recognition


def summary(proof: Proof) -> Iterator[str]:
    """Yield what was achieved in a few sentences: detectors, identity, swaps, noise; the plain answer first."""
    yield from _found(proof)
    yield from _recognised(proof)
    yield from _swapped(proof)


def judged(check: Check) -> str:
    """Return one answer on trust as a line."""
    words = {True: "passed", False: "FAILED", None: "open"}
    return f"{words[check.passed]}: {check.text}"


def fine_print(proof: Proof) -> Iterator[str]:
    """Yield what a reader should know: quality, time, what was not here, and what the proof does not say."""
    quality = proof.picture_quality
    lpips = "" if quality.lpips is None else f", LPIPS {quality.lpips:.3f}"
    yield f"The protected picture has SSIM {quality.ssim:.3f}{lpips} to the original"
    made = (
        f"protected by {proof.defence} with preset {proof.preset}"
        if proof.defence
        else "how it was protected is not known"
    )
    yield f"{sum(proof.seconds.values()):.1f} s on {proof.device}, seed {proof.seed}; {made}"
    if proof.missing:
        yield f"Not asked, since their weights are not here: {', '.join(proof.missing)}; run: deepguard models pull"
    yield from (note.text for note in proof.notes)
    yield (
        "This raises the cost of misuse; it does not make the picture safe. It was tested against the models in the "
        f"tables, as of version {proof.version} on {proof.created[:10]}; others may still find or recognise the face."
    )


def _found(proof: Proof) -> Iterator[str]:
    rows = [row for row in proof.detections if row.detector != COMBINED]
    before, now = (_finding(rows, arm, DELIVERED) for arm in (ORIGINAL, PROTECTED))
    again = sum(any(row.retried[PROTECTED]) for row in rows)
    faces = "the face" if len(proof.faces) == 1 else "a face"
    yield (
        f"{before} of {len(rows)} detectors find {faces} in the original, {now} in the protected picture, {again} when "
        "the attacker tries again with other sizes and turns."
    )
    posted = {column: _finding(rows, PROTECTED, column) for column in proof.columns if column != DELIVERED}
    if posted:
        worst = max(posted, key=lambda column: posted[column])
        yield f"After posting, at most {posted[worst]} of {len(rows)} find it ({worst})."


def _finding(rows: Sequence[Detection], arm: str, column: str) -> int:
    return sum(any(row.found[arm][column]) for row in rows)


def _recognised(proof: Proof) -> Iterator[str]:
    groups = {
        "Encoders that were attacked": [row for row in proof.likenesses if row.attacked],
        "Encoders that only judge": [row for row in proof.likenesses if row.attacked is False],
        "Encoders": [row for row in proof.likenesses if row.attacked is None],
    }
    for title, rows in groups.items():
        told = [row for row in rows if row.threshold is not None]
        if told:
            delivered = _matching(told, PROTECTED, DELIVERED)
            rest = f"{_after(proof, told)}.{_marked(told)}"
            yield f"{title} take it for the same person in {delivered} as delivered{rest}"
    bare = [row.encoder for row in proof.likenesses if row.threshold is None]
    if bare:
        yield f"No threshold is known of {', '.join(bare)}: its cosines are told, but no match."
    told = [row for row in proof.likenesses if row.threshold is not None]
    if told and NOISE in proof.arms:
        yield f"With random noise of the same size they do in {_matching(told, NOISE, DELIVERED)}."


def _matching(rows: Sequence[Recognition], arm: str, column: str) -> str:
    share = share_of(answer for row in rows for answer in row.matched(arm, column))
    return f"{share.count} of {share.of} comparisons"


def _after(proof: Proof, rows: Sequence[Recognition]) -> str:
    posted = {
        column: sum(bool(answer) for row in rows for answer in row.matched(PROTECTED, column))
        for column in proof.columns
        if column != DELIVERED
    }
    if not posted:
        return ""
    worst = max(posted, key=lambda column: posted[column])
    return f", at most in {posted[worst]} after posting ({worst})"


def _marked(rows: Sequence[Recognition]) -> str:
    """Tell what the attacker's own landmarks change, where some detector gives them."""
    answers = [
        cosine > row.threshold
        for row in rows
        for cosine in row.found.get(PROTECTED, {}).get(DELIVERED, ())
        if cosine is not None and row.threshold is not None
    ]
    return (
        f" Cut where the attacker's own detectors see the landmarks: {sum(answers)} of {len(answers)}."
        if answers
        else ""
    )


def _swapped(proof: Proof) -> Iterator[str]:
    for swap in proof.swaps:
        shares = [
            (column, name, share)
            for column, judges in swap.failures.get(PROTECTED, {}).items()
            for name, share in judges.items()
            if share is not None and share.of
        ]
        if not shares:
            yield f"Swaps by {swap.swapper}: not even one made from the original matches its face; none can fail."
            continue
        failed, tried = sum(share.count for *_, share in shares), sum(share.of for *_, share in shares)
        yield (
            f"Swaps by {swap.swapper}: of {tried} that match the face when made from the original, {failed} no longer "
            "do when made from the protected picture."
        )
