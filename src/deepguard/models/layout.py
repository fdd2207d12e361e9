"""Reshapes that an exporter froze at one input size, made to follow the input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from torch import Tensor

from deepguard.errors import WeightsError
from deepguard.models.nodes import Call

BATCH_AXIS = 0


@dataclass(frozen=True, slots=True)
class Layout:
    """How a reshape that was frozen at one input size regroups axes: which old ones become which new ones.

    Each group is (old sides, new sides) at the frozen size; `open_axis` is the new axis that the file leaves open.
    """

    groups: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]
    open_axis: int | None

    @classmethod
    def between(cls, old: Sequence[int], new: Sequence[int]) -> Layout:
        """Read the layout off one example: `old` sides, and `new` ones of which one may be -1 and some 0."""
        open_axis = new.index(-1) if -1 in new else None
        known = [side or old[axis] for axis, side in enumerate(new)]
        rest = prod(old) // prod(side for side in known if side != -1)
        whole = [rest if side == -1 else side for side in known]
        return cls(tuple(_groups(list(old), whole)), open_axis)

    def sides(self, shape: Sequence[int]) -> list[int]:
        """Return the new sides for data of another size, or raise WeightsError where the file does not tell."""
        sides: list[int] = []
        axis = 0
        for old, new in self.groups:
            now = shape[axis : axis + len(old)]
            sides += self._regrouped(prod(now), prod(old), new, len(sides))
            axis += len(old)
        return sides

    def _regrouped(self, now: int, then: int, new: tuple[int, ...], first: int) -> list[int]:
        if len(new) == 1:
            return [now]
        if now == then:
            return list(new)
        place = BATCH_AXIS if self.open_axis is None else self.open_axis - first
        # only the batch, or an axis that the file leaves open, is known to grow
        if (self.open_axis is None and first != BATCH_AXIS) or not 0 <= place < len(new) or now * new[place] % then:
            raise WeightsError("the ONNX file was frozen at one input size and cannot work at this one")
        return [side * now // then if axis == place else side for axis, side in enumerate(new)]


def _groups(old: list[int], new: list[int]) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Cut both lists into the shortest runs with equal products."""
    groups = []
    while old and new:
        left, right = [old.pop(0)], [new.pop(0)]
        while prod(left) != prod(right):
            if prod(left) < prod(right):
                left.append(old.pop(0))
            else:
                right.append(new.pop(0))
        groups.append((tuple(left), tuple(right)))
    # what is left over are sides of 1
    last_old, last_new = groups.pop()
    return [*groups, ((*last_old, *old), (*last_new, *new))]


def regroup(call: Call) -> Tensor:
    """Reshape by a layout instead of by fixed sides."""
    data = call.tensor(0)
    layout: Layout = call.options["layout"]
    return data.reshape(layout.sides(data.shape))
