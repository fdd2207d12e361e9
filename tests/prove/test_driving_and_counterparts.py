import itertools
import json

import pytest
import torch

from deepguard.prove.counterparts import FOLDER, counterpart, counterparts
from deepguard.prove.driving import COUNT, RATE, SEQUENCE, STILL, Move, posed


def test_the_sequence_is_short_begins_at_rest_and_moves_little():
    assert SEQUENCE[0] == STILL
    assert len(SEQUENCE) == COUNT
    assert COUNT / RATE == 4
    assert max(abs(move.yaw) for move in SEQUENCE) <= 15
    assert max(abs(one.yaw - other.yaw) for one, other in itertools.pairwise(SEQUENCE)) < 3


def test_without_a_move_the_picture_is_as_it_was():
    other = counterpart("hopper")
    still = posed(other, STILL)
    assert torch.allclose(still.images, other.images, atol=1e-4)
    assert torch.allclose(torch.tensor(still.landmarks), torch.tensor(other.landmarks))


@pytest.mark.parametrize("move", [Move(yaw=13), Move(pitch=5), Move(roll=4), Move(mouth=1), SEQUENCE[11]])
def test_landmarks_go_where_what_they_mark_goes(move):
    other = counterpart("astronaut")
    y, x = torch.meshgrid(torch.arange(512), torch.arange(512), indexing="ij")
    spots = sum(torch.exp(-((x - px) ** 2 + (y - py) ** 2) / 18) for px, py in other.landmarks)
    spotted = type(other)(other.name, "", "", spots.expand(1, 3, 512, 512).float().clamp(0, 1), other.landmarks)
    moved = posed(spotted, move)
    for px, py in moved.landmarks:
        around = moved.images[0, 0, round(py) - 6 : round(py) + 7, round(px) - 6 : round(px) + 7]
        peak = int(around.argmax())
        assert abs(peak // 13 - 6) <= 1
        assert abs(peak % 13 - 6) <= 1


def test_a_turn_moves_the_nose_more_than_the_eyes_and_the_background_not_at_all():
    other = counterpart("hopper")
    turned = posed(other, Move(yaw=13))
    shifts = [after[0] - before[0] for after, before in zip(turned.landmarks, other.landmarks, strict=True)]
    assert shifts[2] > max(shifts[0], shifts[1]) > 5
    assert torch.allclose(turned.images[..., :10], other.images[..., :10], atol=0.01)


def test_the_mouth_opens_downwards_and_leaves_the_eyes():
    other = counterpart("hopper")
    opened = posed(other, Move(mouth=1)).landmarks
    assert opened[3][1] > other.landmarks[3][1] + 1
    assert opened[0] == pytest.approx(other.landmarks[0], abs=0.5)


def test_every_counterparts_file_lies_in_the_package_and_nothing_else_does():
    told = json.loads((FOLDER / "counterparts.json").read_text(encoding="utf-8"))
    assert tuple(sorted(told)) == counterparts()
    files = {each["file"] for each in told.values()} - {""}
    assert {file.name for file in FOLDER.iterdir()} == files | {"counterparts.json"}
