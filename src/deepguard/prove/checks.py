"""Can this result be trusted? Each answer is printed in each report (after AutoAttack; Croce and Hein 2020)."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import torch

from deepguard.models.align import aligned
from deepguard.models.roles import Encoder, FaceDetector
from deepguard.prove.proof import COMBINED, DELIVERED, NOISE, ORIGINAL, PROTECTED, Check, Detection, Recognition
from deepguard.prove.run import Measured
from deepguard.prove.scenario import Scenario
from deepguard.types import Box, Face, Images

SLACK = 0.2
"""Share of what noise may hide by chance, at a detector's or an encoder's threshold, before the measure is broken."""

EDGE = 0.05
"""Cosine by which a judge may be fooled more than the attacked encoders before that is odd."""

SIDE = 320
"""Longer side in pixels of what a detector is shown for its gradient."""


def checks(scenario: Scenario, measured: Measured, again: Sequence[Recognition], files: Files) -> tuple[Check, ...]:
    """Return all answers. `again` are likenesses with another seed; `files` the SHA-256 of each model's files."""
    rows = [row for row in measured.detections if row.detector != COMBINED]
    return (
        _found(rows),
        _matched(measured.likenesses),
        _noise(rows, measured.likenesses),
        _judging("detectors", [(row.detector, row.attacked) for row in rows]),
        _judging("encoders", [(row.encoder, row.attacked) for row in measured.likenesses]),
        _apart(measured.likenesses, scenario.attacked, files),
        _boxes(measured.likenesses),
        _gradients(scenario),
        _stable(measured.likenesses, again),
    )


Files = Mapping[str, Mapping[str, str]]


def _found(rows: Iterable[Detection]) -> Check:
    blind = [row.detector for row in rows if not any(row.found[ORIGINAL][DELIVERED])]
    if not blind:
        return Check("original_found", True, "every detector finds a face in the original")
    text = f"these see no face in the original either, so that their rows prove nothing: {', '.join(blind)}"
    return Check("original_found", False, text)


def _matched(rows: Sequence[Recognition]) -> Check:
    code = "original_matched"
    known = [row for row in rows if row.threshold is not None]
    if not known:
        return Check(code, None, "no encoder with a known threshold is here, so that no match can be told")
    lost = [
        f"{row.encoder} ({column})"
        for row in known
        for column in row.cosines.get(ORIGINAL, {})
        if False in row.matched(ORIGINAL, column)
    ]
    if lost:
        return Check(code, False, f"the original itself is no longer matched, so look elsewhere: {', '.join(lost)}")
    return Check(code, True, "every encoder matches the original with itself in every column")


def _noise(rows: Iterable[Detection], likenesses: Iterable[Recognition]) -> Check:
    answers = [
        kept
        for row in rows
        if NOISE in row.found
        for before, kept in zip(row.found[ORIGINAL][DELIVERED], row.found[NOISE][DELIVERED], strict=True)
        if before
    ]
    answers += [kept for row in likenesses for kept in row.matched(NOISE, DELIVERED) if kept is not None]
    if not answers:
        return Check("noise", None, "nothing was measured of the picture with noise")
    lost = answers.count(False)
    told = f"random noise of the same size hides {lost} of {len(answers)}"
    if lost > SLACK * len(answers):
        return Check("noise", False, f"{told}: what is measured here is not the protection alone")
    return Check("noise", True, f"{told}, as it should")


def _judging(kind: str, rows: Sequence[tuple[str, bool | None]]) -> Check:
    code = f"judge_{kind}"
    judges = [name for name, attacked in rows if attacked is False]
    if not rows:
        return Check(code, False, f"none of the {kind} is on the shelf, so that nothing is told of what they see")
    if judges:
        return Check(code, True, f"{kind} that were not attacked judge: {', '.join(judges)}")
    if any(attacked is None for _, attacked in rows):
        text = f"nobody knows which {kind} were attacked; give the report of the protection with --report"
        return Check(code, None, text)
    text = f"all {kind} here were attacked: their figures say nothing of others; bring more with deepguard models pull"
    return Check(code, False, text)


def _apart(rows: Sequence[Recognition], attacked: Mapping[str, bool | None], files: Files) -> Check:
    code = "judge_is_surrogate"
    judges = [row for row in rows if row.attacked is False]
    if not judges:
        return Check(code, None, "no encoder judges")
    aimed = {digest for name, known in attacked.items() if known for digest in files.get(name, {}).values()}
    same = [row.encoder for row in judges if aimed & set(files.get(row.encoder, {}).values())]
    if same:
        return Check(code, False, f"these judge and were attacked under another name: {', '.join(same)}")
    families = {row.family for row in rows if row.attacked}
    if all(row.family in families for row in judges):
        text = "every encoder that judges is of a family that was attacked; one of another family would tell more"
        return Check(code, False, text)
    return Check(code, True, "an encoder of a family that was not attacked judges")


def _boxes(rows: Sequence[Recognition]) -> Check:
    code = "black_box"
    white, black = (_mean(row for row in rows if row.attacked is known) for known in (True, False))
    if white is None or black is None:
        return Check(code, None, "encoders that were attacked and ones that judge are not both here")
    if black < white - EDGE:
        text = "encoders that were not attacked are fooled more than those that were: the attack did not do its best"
        return Check(code, False, text)
    return Check(code, True, "encoders that were attacked are fooled more than those that were not")


def _mean(rows: Iterable[Recognition]) -> float | None:
    """Return the mean cosine above the threshold where one is known, so that encoders compare."""
    cosines = [
        cosine - (row.threshold or 0.0)
        for row in rows
        for cosine in row.cosines.get(PROTECTED, {}).get(DELIVERED, ())
        if cosine is not None
    ]
    return statistics.fmean(cosines) if cosines else None


def _gradients(scenario: Scenario) -> Check:
    attacked = [name for name, known in scenario.attacked.items() if known]
    if not attacked:
        return Check("gradients", None, "nobody knows which models were attacked")
    flat = list(_flat(scenario, attacked))
    if flat:
        text = f"these give an attack no direction here, so that others may fare better: {', '.join(flat)}"
        return Check("gradients", False, text)
    return Check("gradients", True, "every attacked model still gives a direction at the protected picture")


def _flat(scenario: Scenario, attacked: Iterable[str]) -> Iterator[str]:
    face = max(scenario.faces, key=lambda each: each.box.area)
    images = scenario.arms[PROTECTED]
    for name in attacked:
        if name in scenario.detectors:
            moves = _moves(_window(images, face.box), _evidence_of(scenario.detectors[name]))
        elif name in scenario.encoders and scenario.encoders[name].gradient and face.landmarks:
            moves = _moves(images, _likeness_of(scenario.encoders[name], scenario.arms[ORIGINAL], face))
        else:
            continue
        if not moves:
            yield name


def _moves(images: Images, score: Callable[[Images], torch.Tensor]) -> bool:
    leaf = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(score(leaf), leaf)
    return bool(gradient.isfinite().all() and gradient.abs().amax() > 0)


def _evidence_of(detector: FaceDetector) -> Callable[[Images], torch.Tensor]:
    return lambda images: detector.evidence(images).logits.amax()


def _likeness_of(encoder: Encoder, original: Images, face: Face) -> Callable[[Images], torch.Tensor]:
    with torch.no_grad():
        owner = encoder.embed(aligned(original, face.landmarks, encoder.template))
    return lambda images: (encoder.embed(aligned(images, face.landmarks, encoder.template)) * owner).sum()


def _window(images: Images, box: Box) -> Images:
    rows, columns = box.grown(0.5).pixels(*images.shape[-2:])
    part = images[..., rows, columns]
    factor = min(1.0, SIDE / max(part.shape[-2:]))
    return torch.nn.functional.interpolate(part, scale_factor=factor, mode="area") if factor < 1 else part


def _stable(rows: Sequence[Recognition], again: Sequence[Recognition]) -> Check:
    code = "randomness"
    changes = [
        abs(one - other)
        for row, second in zip(rows, again, strict=True)
        for column, values in second.cosines.get(PROTECTED, {}).items()
        for one, other in zip(row.cosines[PROTECTED][column], values, strict=True)
        if one is not None and other is not None
    ]
    if not changes:
        return Check(code, None, "no encoder is here whose answer could change with the seed")
    if max(changes) > EDGE:
        return Check(code, False, f"another seed of the posting changes a cosine by {max(changes):.2f}: take the worst")
    return Check(code, True, f"another seed of the posting changes no cosine by more than {max(changes):.2f}")
