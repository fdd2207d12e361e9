"""Which photos of a list take part where only so many are to."""

from __future__ import annotations

import torch


def spread(total: int, wanted: int | None, seed: int) -> frozenset[int]:
    """Return `wanted` of the numbers below `total`, at even distances; None means all. The seed shifts them."""
    if wanted is None or wanted >= total:
        return frozenset(range(total))
    start = float(torch.rand((), generator=torch.Generator().manual_seed(seed)))
    return frozenset(int((each + start) * total / wanted) for each in range(wanted))
