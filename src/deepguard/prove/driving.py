"""The small movements that bring a counterpart's picture to life: nods, turns and talk, made up for this purpose."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from deepguard.prove.counterparts import Counterpart, counterpart
from deepguard.types import Images, Landmarks

RATE = 12
"""Poses a second."""
COUNT = 48
"""Poses of the sequence: four seconds, which begin and end with the picture as it is."""
ROUNDS = 12
"""Steps in which a landmark's new place is found; the movements are small, so that each halves what is missing."""


@dataclass(frozen=True, slots=True)
class Move:
    """Where a head is turned: yaw to picture right, pitch downwards and roll clockwise in degrees; mouth in [0, 1]."""

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    mouth: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """A counterpart's picture after a move, and where its landmarks went."""

    images: Images
    landmarks: Landmarks

    def on(self, device: torch.device) -> Pose:
        """Return the same with its picture on a device."""
        return Pose(self.images.to(device), self.landmarks)


def _at(share: float) -> Move:
    turn = 2 * math.pi * share
    return Move(
        yaw=13 * math.sin(turn),
        pitch=5 * math.sin(2 * turn),
        roll=4 * math.sin(turn) * math.cos(turn / 2) ** 2,
        mouth=math.sin(3 * turn) ** 2,
    )


STILL = Move()
SEQUENCE = tuple(_at(step / COUNT) for step in range(COUNT))
"""The driving sequence."""
PRACTICE = (STILL, *SEQUENCE[3::6])
"""What a swapper is shown of the counterpart while it learns."""


def posed(other: Counterpart, move: Move) -> Pose:
    """Return the counterpart's picture after a move: bent smoothly, as if the head were an egg before a wall."""
    images = other.images
    side = images.shape[-1]
    rows, columns = torch.meshgrid(
        torch.arange(side, dtype=torch.float32), torch.arange(side, dtype=torch.float32), indexing="ij"
    )
    places = torch.stack((columns, rows), dim=-1)
    grid = (2 * (places - _shift(places, other.landmarks, move)) + 1) / side - 1
    bent = functional.grid_sample(
        images, grid[None].to(images), mode="bicubic", padding_mode="border", align_corners=False
    )
    return Pose(bent.clamp(0, 1), _moved(other.landmarks, move))


@functools.cache
def practised(identifier: str) -> tuple[Pose, ...]:
    """Return the counterpart with this id in all poses of `PRACTICE`."""
    other = counterpart(identifier)
    return tuple(posed(other, move) for move in PRACTICE)


def _moved(landmarks: Landmarks, move: Move) -> Landmarks:
    """Return where the landmarks are after the move: the places whose shift leads from where they were."""
    start = torch.tensor(landmarks, dtype=torch.float64)
    points = start
    for _ in range(ROUNDS):
        points = start + _shift(points, landmarks, move)
    return tuple((float(x), float(y)) for x, y in points)


def _shift(places: Tensor, landmarks: Landmarks, move: Move) -> Tensor:
    """Return how far what is shown at each place (..., x and y) came from, in pixels."""
    points = torch.tensor(landmarks, dtype=places.dtype)
    eyes, mouth = points[:2].mean(dim=0), points[3:].mean(dim=0)
    reach = float((mouth - eyes).norm())
    middle = (eyes + mouth) / 2
    away = (places - middle) / reach
    # 1 in the middle of the face, fading towards the head's outline
    depth = torch.exp(-((away / torch.tensor((1.25, 1.5))).square().sum(dim=-1) ** 1.5))
    turned = depth * reach
    yaw, pitch, roll = (math.radians(angle) for angle in (move.yaw, move.pitch, move.roll))
    below = (away - torch.tensor((0.0, 0.75))) / torch.tensor((0.7, 0.45))
    jaw = 0.07 * move.mouth * torch.exp(-below.square().sum(dim=-1)) * reach
    across = turned * math.sin(yaw) - depth * math.sin(roll) * away[..., 1] * reach
    down = turned * math.sin(pitch) + depth * math.sin(roll) * away[..., 0] * reach + jaw
    return torch.stack((across, down), dim=-1)
