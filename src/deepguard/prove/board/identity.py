"""Whether encoders still know people by protected photos: what is measured of each person."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeAlias

import torch

from deepguard.errors import NoFace
from deepguard.measures.roles import Measure
from deepguard.media.encode import encode
from deepguard.media.picture import Picture
from deepguard.media.read import decode
from deepguard.models.roles import Encoder
from deepguard.prove.bench import Vector, seen
from deepguard.prove.board.arms import Made, Order
from deepguard.prove.board.controls import noise
from deepguard.prove.board.records import Absent
from deepguard.prove.posting import Sent, sent
from deepguard.prove.proof import DELIVERED
from deepguard.prove.quality import compare, excess
from deepguard.prove.reading import read
from deepguard.prove.report import Quality
from deepguard.transforms.posting import column
from deepguard.types import Face, Images, Progress, Watch, ignore

SCHEMA = "deepguard/identity-board/1"

ArmKind: TypeAlias = Literal["clean", "noise", "ours"]
"""The photo as it was, with random noise of the first change's size, or protected."""


@dataclass(frozen=True, slots=True)
class Likened:
    """One version of one person's photo, compared with the reference.

    Attributes:
        name: of the change; the same for all persons.
        kind: where it came from.
        attacked: the encoders that it was made against.
        cosines: column -> encoder -> cosine with the reference.
        picture_quality, face_quality: how close it is to the photo; None for the photo itself.
        excess: the worst share of a ceiling of visibility.
        seconds: of each part of the work; empty where nothing was protected.
    """

    name: str
    kind: ArmKind
    attacked: tuple[str, ...]
    cosines: Mapping[str, Mapping[str, float]]
    picture_quality: Quality | None
    face_quality: Quality | None
    excess: float
    seconds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Person:
    """One person: the photo that is protected, and the one that it is compared with.

    `reference` is the name of another photo of the person, or the photo's own where there is none: its original.
    """

    name: str
    sha256: str
    reference: str
    width: int
    height: int
    face: Face
    arms: tuple[Likened, ...]

    @property
    def another(self) -> bool:
        """Whether the reference is another photo of the person."""
        return self.reference != self.name


@dataclass(frozen=True, slots=True)
class Known:
    """An encoder on the board: its family, and its thresholds; None where it was never calibrated."""

    name: str
    family: str
    far_1e3: float | None
    far_1e4: float | None


@dataclass(frozen=True)
class IdentityBoard:
    """Everything that one run measured, enough to draw its tables; see `records.Board` for what is alike."""

    version: str
    created: str
    complete: bool
    machine: str
    options: Mapping[str, Any]
    encoders: tuple[Known, ...]
    columns: tuple[str, ...]
    people: tuple[Person, ...]
    left_out: tuple[Absent, ...]
    failed: tuple[Absent, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the board as JSON values."""
        return {"schema": SCHEMA, **dataclasses.asdict(self)}


def board_from(body: Any) -> IdentityBoard:
    """Return the board of its JSON values; InputError for anything else."""
    return read(IdentityBoard, body, SCHEMA, "deepguard bench identity")


@dataclass(frozen=True)
class Stand:
    """What every person is measured with.

    Attributes:
        protect: makes an order's picture, with the one seed.
        faces: the faces of a picture as `api.find` counts them.
        orders: what is asked for; the first one's change gives the noise its size.
        encoders: by name.
        measures: of quality.
        columns: posting chains beside the file as delivered.
        device, seed: as everywhere.
    """

    protect: Callable[[Picture, Order, Watch], Made]
    faces: Callable[[Picture, Watch], Sequence[Face]]
    orders: tuple[Order, ...]
    encoders: Mapping[str, Encoder]
    measures: Mapping[str, Measure]
    columns: tuple[str, ...]
    device: torch.device
    seed: int


def measured(
    name: str, picture: Picture, reference: tuple[str, Picture], stand: Stand, watch: Watch = ignore, *, control: bool
) -> Person:
    """Compare one person's photo, as it is and changed, with the reference. Raises what `api.protect` raises."""
    face = _largest(picture, name, stand, watch)
    other, there = reference
    same = face if other == name else _largest(there, other, stand, watch)
    owner = seen(there.images.to(stand.device), same.landmarks, stand.encoders)
    work = _Work(picture, face, owner, stand)
    arms = [work.clean()]
    pictures: list[Images] = []
    for order in stand.orders:
        made = stand.protect(picture, order, partial(_tell, watch, order))
        arm, images = work.ours(order, made)
        arms.append(arm)
        pictures.append(images)
    if control and pictures:
        arms.append(work.noise(pictures[0]))
    return Person(name, picture.sha256, other, picture.width, picture.height, face, tuple(arms))


def _tell(watch: Watch, order: Order, progress: Progress) -> None:
    watch(Progress(f"{order.defence} {order.preset} ({progress.stage})", progress.done, progress.total, progress.found))


def _largest(picture: Picture, name: str, stand: Stand, watch: Watch) -> Face:
    """Return the largest face with landmarks; of somebody's portrait it is theirs."""
    faces = [face for face in stand.faces(picture, watch) if face.landmarks]
    if not faces:
        raise NoFace(f"no face with landmarks was found in {name}")
    return max(faces, key=lambda face: face.box.area)


class _Work:
    """One person's photo and the vectors that it is compared with."""

    def __init__(self, picture: Picture, face: Face, owner: Mapping[str, Vector], stand: Stand) -> None:
        self.picture = picture
        self.face = face
        self.owner = owner
        self.stand = stand

    def clean(self) -> Likened:
        """Return the photo as it is."""
        return Likened("clean", "clean", (), self._cosines(self.picture.images), None, None, 0.0, {})

    def ours(self, order: Order, made: Made) -> tuple[Likened, Images]:
        """Return the photo as an order's defence changed it, and its pixels."""
        images = decode(made.data).images
        attacked = {model.name for model in made.report.models if model.attacked} & set(self.stand.encoders)
        name = f"{order.defence} {order.preset}"
        return self._likened(name, "ours", tuple(sorted(attacked)), images, made.report.seconds), images

    def noise(self, changed: Images) -> Likened:
        """Return the photo with noise of the size of a change."""
        rng = torch.Generator().manual_seed(self.stand.seed)
        images = decode(encode(self.picture, noise(self.picture.images, changed, rng))).images
        return self._likened("noise", "noise", (), images, {})

    def _likened(
        self, name: str, kind: ArmKind, attacked: tuple[str, ...], images: Images, seconds: Mapping[str, float]
    ) -> Likened:
        before, after = (each.to(self.stand.device) for each in (self.picture.images, images))
        of_picture, of_faces = compare(before, after, [self.face], self.stand.measures)
        share = excess(of_picture, of_faces)
        return Likened(name, kind, attacked, self._cosines(images), of_picture, of_faces[0], share, seconds)

    def _cosines(self, images: Images) -> dict[str, dict[str, float]]:
        images = images.to(self.stand.device)
        return {name: self._compared(self._sent(images, name)) for name in (DELIVERED, *self.stand.columns)}

    def _sent(self, images: Images, name: str) -> Sent:
        if name == DELIVERED:
            return Sent(images)
        return sent(images, column(name), torch.Generator().manual_seed(self.stand.seed))

    def _compared(self, version: Sent) -> dict[str, float]:
        vectors = seen(version.images, version.place.face(self.face).landmarks, self.stand.encoders)
        return {name: round(float(vector @ self.owner[name]), 4) for name, vector in vectors.items()}
