"""Faces are joined to persons as far as place and looks allow, and no further."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
from torch.nn import functional

from deepguard.forensics import tracks
from deepguard.forensics.tracks import Place, Seen, likeness, looks, tracked
from deepguard.types import Box, Face

HEIGHT, WIDTH, SIDE = 200, 320, 40


def portrait(seed: int) -> torch.Tensor:
    """A face's worth of smooth colours, unlike those of any other seed."""
    coarse = torch.rand((1, 3, 6, 6), generator=torch.Generator().manual_seed(seed))
    return functional.interpolate(coarse, (2 * SIDE, 2 * SIDE), mode="bicubic").clamp(0, 1)


ANNA, BELA, CARA = (portrait(seed) for seed in (3, 4, 5))


def seen(time, people, scene=0, light=1.0):
    """What a frame shows with each portrait at its centre, and the background between."""
    image = torch.full((1, 3, HEIGHT, WIDTH), 0.5)
    faces = []
    for person, across, down in people:
        left, top = across - SIDE, down - SIDE
        image[..., top : top + 2 * SIDE, left : left + 2 * SIDE] = person * light
        half = SIDE / 2
        faces.append(Face(Box(across - half, down - half, across + half, down + half), 0.9))
    return Seen(Fraction(time), scene, tuple(faces), looks(image, faces))


def places(frames):
    return [[tuple(place) for place in track.places] for track in tracked(frames)]


def test_nobody_seen_is_no_track():
    assert tracked([]) == ()
    assert tracked([seen(0, []), seen(1, [])]) == ()


def test_a_person_who_moves_stays_one_track():
    frames = [seen(Fraction(step, 5), [(ANNA, 60 + 20 * step, 60)]) for step in range(9)]
    assert places(frames) == [[(step, 0) for step in range(9)]]


def test_two_people_who_cross_keep_their_tracks():
    frames = [seen(Fraction(step, 5), [(ANNA, 60 + 20 * step, 50), (BELA, 260 - 20 * step, 150)]) for step in range(11)]
    assert places(frames) == [[(step, 0) for step in range(11)], [(step, 1) for step in range(11)]]


def test_one_who_is_hidden_while_another_passes_in_front_keeps_the_track():
    across = [(60 + 20 * step, 260 - 20 * step) for step in range(11)]
    people = [[(BELA, other, 60), (ANNA, one, 60)][: 1 if abs(one - other) < 80 else 2] for one, other in across]
    frames = [seen(Fraction(step, 5), both) for step, both in enumerate(people)]
    hidden = [step for step in range(11) if len(people[step]) == 1]
    assert hidden == [4, 5, 6]
    assert places(frames) == [
        [(step, 1) for step in range(11) if step not in hidden],
        [(step, 0) for step in range(11)],
    ]


def test_one_who_leaves_and_comes_back_from_the_other_side_is_the_same_person():
    frames = [seen(step, [(ANNA, 60, 60), (BELA, 200, 60)][: 1 if step in (3, 4) else 2]) for step in range(5)]
    frames += [seen(6, [(BELA, 60, 60)]), seen(7, [(ANNA, 220, 60), (BELA, 60, 60)])]
    assert places(frames) == [
        [(0, 0), (1, 0), (2, 0), (3, 0), (4, 0), (6, 0)],
        [(0, 1), (1, 1), (2, 1), (5, 0), (6, 1)],
    ]


def test_after_a_cut_the_same_place_is_another_person():
    frames = [seen(0, [(ANNA, 100, 60)]), seen(1, [(BELA, 100, 60)], scene=1)]
    assert places(frames) == [[(0, 0)], [(1, 0)]]


def test_a_cut_that_nobody_noticed_does_not_join_two_people():
    frames = [seen(0, [(ANNA, 100, 60)]), seen(1, [(BELA, 100, 60)])]
    assert places(frames) == [[(0, 0)], [(1, 0)]]


def test_after_cuts_to_and_fro_both_people_are_found_again():
    frames = [
        seen(step, [((ANNA, BELA)[step % 2], 80 + 10 * step, 60)], scene=step, light=1 - 0.02 * step)
        for step in range(6)
    ]
    assert places(frames) == [[(0, 0), (2, 0), (4, 0)], [(1, 0), (3, 0), (5, 0)]]


def test_two_faces_of_one_frame_are_never_one_person():
    frames = [seen(0, [(ANNA, 60, 60), (ANNA, 160, 60)]), seen(1, [(ANNA, 60, 60), (ANNA, 160, 60)])]
    assert places(frames) == [[(0, 0), (1, 0)], [(0, 1), (1, 1)]]


def test_somebody_who_steps_to_where_another_was_is_not_joined_to_them():
    blend = 0.55 * ANNA + 0.45 * BELA
    near = likeness(seen(0, [(ANNA, 60, 60)]).looks, seen(0, [(blend, 60, 60)]).looks)
    assert 0.3 < float(near) < 0.8
    beside = seen(1, [(CARA, 200, 60)])
    frames = [seen(0, [(ANNA, 60, 60)]), beside, seen(2, [(BELA, 60, 60), (CARA, 200, 60)])]
    assert places(frames) == [[(0, 0)], [(1, 0), (2, 1)], [(2, 0)]]


def test_tracks_are_numbered_by_first_appearance_and_then_from_left_to_right():
    frames = [seen(0, [(BELA, 200, 60), (ANNA, 60, 60)]), seen(1, [(BELA, 200, 60), (CARA, 60, 60)])]
    found = tracked(frames)
    assert [track.number for track in found] == [1, 2, 3]
    assert [track.places[0] for track in found] == [Place(0, 1), Place(0, 0), Place(1, 1)]


def test_every_face_belongs_to_exactly_one_track():
    frames = [seen(step, [(ANNA, 60 + step, 60), (BELA, 160, 60), (CARA, 260 - step, 60)]) for step in range(4)]
    assert sorted(place for track in tracked(frames) for place in track.places) == [
        (frame, face) for frame in range(4) for face in range(3)
    ]


@pytest.mark.parametrize("change", [lambda image: image * 0.7, lambda image: image + 0.05])
def test_the_same_face_looks_alike_in_other_light_and_strangers_do_not(change):
    faces = [Face(Box(20, 20, 60, 60), 0.9)]
    own = likeness(looks(ANNA, faces), looks(change(ANNA).clamp(0, 1), faces))
    strange = likeness(looks(ANNA, faces), looks(BELA, faces))
    assert float(own) > 0.85
    assert float(strange) < 0.5


def test_a_plain_face_is_like_itself_as_little_as_noise_is():
    faces = [Face(Box(20, 20, 60, 60), 0.9)]
    plain = torch.full((1, 3, 80, 80), 0.4)
    assert abs(float(likeness(looks(plain, faces), looks(plain, faces)))) < 0.01


def test_however_many_persons_there_are_a_frame_is_compared_with_all_of_them_at_once(monkeypatch):
    compared = []

    def counted(one, other):
        compared.append((len(one), len(other)))
        return likeness(one, other)

    monkeypatch.setattr(tracks, "likeness", counted)
    crowd = [[(portrait(30 + 4 * at + place), 50 + 75 * place, 60) for place in range(4)] for at in range(3)]
    found = tracked([seen(10 * at, people, scene=at) for at, people in enumerate(crowd)])
    assert compared == [(4, 4), (8, 4)]
    assert sum(len(each.places) for each in found) == 12
