"""What a user should know of a protected photo, in one sentence each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from deepguard.prove.likeness import Likeness
from deepguard.prove.verify import Judgement
from deepguard.types import Note

CLEAN = 1.05
"""Share of the ceilings of visibility up to which a change counts as hardly seen: encoding adds a little."""


def achieved(
    judgements: Sequence[Judgement], attacked: Collection[str], excess: float, size: str = "strength"
) -> Iterator[Note]:
    """Tell what was not achieved against the detectors that were attacked, measured on the delivered file.

    `excess` is the worst share of a ceiling of visibility that is used; `size` is the option that sets the size.
    """
    blind = [each.detector for each in judgements if each.detector in attacked and not any(each.before)]
    if blind:
        names = ", ".join(blind)
        text = f"detectors that see none of these faces even before: {names}; was this photo protected already?"
        yield Note("unseen_before", text, len(blind))
    finding = [each.detector for each in judgements if each.detector in attacked and any(each.after["delivered"].found)]
    if finding:
        names = ", ".join(finding)
        text = (
            f"this one cannot be hidden cleanly: {names} still {'find' if len(finding) > 1 else 'finds'} a face, and "
            f"hiding it would take a change that everyone sees; --preset strong or a larger {size} goes further"
        )
        yield Note("not_clean", text, len(finding))
    if excess > CLEAN:
        text = f"the change may be seen: it is {excess:.1f} times what is hardly seen; a smaller {size} is fainter"
        yield Note("visible", text)


def recognised_still(likenesses: Sequence[Likeness], attacked: Collection[str]) -> Iterator[Note]:
    """Tell which of the encoders that were attacked still know a face."""
    knowing = [each.encoder for each in likenesses if each.encoder in attacked and any(each.matched("delivered"))]
    if knowing:
        verb = "take" if len(knowing) > 1 else "takes"
        text = f"{', '.join(knowing)} still {verb} a face for the same person; --preset strong goes further"
        yield Note("recognised", text, len(knowing))
    if likenesses and any(None in each.after["delivered"] for each in likenesses):
        yield Note("no_landmarks", "whether encoders still know a face was not measured where no landmarks are known")
