"""Everything that can go wrong, as one tree; each error says in one sentence what to do.

DeepguardError
|- InputError            the user, with another file
|  |- UnreadableImage      not a picture, or a damaged one
|  |- UnsupportedImage     a picture of a kind that is not protected (animation, several pages)
|  |- ImageTooLarge        more pixels than the limit
|  |- UnreadableClip       not a clip, or one of which nothing can be read
|  |- UnsupportedClip      a clip without pictures, or of a kind that is not read
|  `- ClipTooLarge         more pixels or bytes than the limit
|- OptionError           the user, with another option
|- NoFace                the user, with a box of their own
|- OutputError           the user or operator, at the place where the result goes
`- WeightsError          the operator, at the shelf
   |- WeightsMissing       not on the shelf
   |- WeightsCorrupt       on the shelf or offered, but not what was pinned
   `- WeightsUnreachable   no source answered, or offline was asked for
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DeepguardError(Exception):
    """The root. `code` is stable and machine-readable; the text is one sentence for a person."""

    code = "error"


class InputError(DeepguardError):
    """The file that the user gave cannot be worked on."""

    code = "input"


class UnreadableImage(InputError):
    """The file is no picture, or a damaged one."""

    code = "unreadable_image"


class UnsupportedImage(InputError):
    """The file is a picture of a kind that cannot be protected."""

    code = "unsupported_image"


class ImageTooLarge(InputError):
    """The picture has more pixels than the limit allows."""

    code = "image_too_large"


class UnreadableClip(InputError):
    """The file is no clip, or one so damaged that no frame can be read."""

    code = "unreadable_clip"


class UnsupportedClip(InputError):
    """The file is a clip without pictures, or of a kind that is not read."""

    code = "unsupported_clip"


class ClipTooLarge(InputError):
    """The clip's frames have more pixels, or its file more bytes, than the limit allows."""

    code = "clip_too_large"


class OptionError(DeepguardError):
    """An option's value is not one that exists or is allowed."""

    code = "option"


class NoFace(DeepguardError):
    """No detector found a face; a result, not a fault."""

    code = "no_face"


class OutputError(DeepguardError):
    """The result cannot be written where it should go."""

    code = "output"


class WeightsError(DeepguardError):
    """Model weights are missing, wrong or out of reach."""

    code = "weights"


class WeightsMissing(WeightsError):
    """The weights are not on the shelf."""

    code = "weights_missing"


class WeightsCorrupt(WeightsError):
    """A file is not the one that was pinned."""

    code = "weights_corrupt"


class WeightsUnreachable(WeightsError):
    """No source delivered the weights."""

    code = "weights_unreachable"


def unknown(kind: str, name: str, known: Iterable[str]) -> OptionError:
    """Return the error for a name that does not exist, with the nearest ones that do."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"known are: {', '.join(names)}"
    return OptionError(f"there is no {kind} called {name}; {hint}")
