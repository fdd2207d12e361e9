from __future__ import annotations

import dataclasses

import pytest
import torch
from tests.attack.toys import toy

from deepguard.defences.presets import ENCODERS, NINE, PRESETS, preset
from deepguard.defences.roles import defaults_of, defences, options_of, settings_of
from deepguard.defences.through import through
from deepguard.errors import OptionError
from deepguard.models.roles import detectors
from deepguard.transforms.posting import POSTINGS
from deepguard.weights.shelf import Shelf

CPU = torch.device("cpu")


def test_the_promised_presets_exist() -> None:
    assert {"balanced", "strong", "small-faces", "patient"} <= set(PRESETS)
    assert all(preset(name) is PRESETS[name] for name in PRESETS)


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(OptionError, match="no preset called balancd; did you mean balanced"):
        preset("balancd")


def test_presets_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        PRESETS["mine"] = PRESETS["balanced"]
    with pytest.raises(TypeError):
        PRESETS["strong"].options["steps"] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        PRESETS["strong"].through = "none"


def test_presets_hide_from_encoders_and_where_it_is_seen_from_nine_detectors_too() -> None:
    assert len(set(NINE)) == 9
    assert set(NINE) <= set(detectors.names())
    assert all(each.encoders == ENCODERS for each in PRESETS.values())
    assert {name: each.detectors for name, each in PRESETS.items()} == {
        "balanced": (),
        "strong": NINE,
        "small-faces": NINE,
        "patient": (),
    }


@pytest.mark.parametrize("name", PRESETS)
def test_a_presets_defence_takes_its_options_and_what_it_goes_through(name: str, empty_shelf: Shelf) -> None:
    chosen = preset(name)
    make = defences.create(chosen.defence, empty_shelf, CPU)
    assert set(chosen.options) <= set(options_of(make))
    made = make({"toy": toy(64)}, through(chosen.through), **chosen.options)
    assert {key: settings_of(made)[key] for key in chosen.options} == dict(chosen.options)
    assert len(chosen.summary) > 10


def test_strong_changes_more_than_balanced_and_patient_takes_more_steps(empty_shelf: Shelf) -> None:
    def option(name: str, option: str) -> float:
        make = defences.create(preset(name).defence, empty_shelf, CPU)
        return float(settings_of(make({"toy": toy(64)}, None, **preset(name).options))[option])

    assert option("strong", "strength") > option("balanced", "strength") == option("patient", "strength") == 1
    assert option("patient", "steps") > option("balanced", "steps") > 0
    assert option("small-faces", "reach") > option("balanced", "reach")


def test_every_preset_but_strong_stays_hardly_seen() -> None:
    assert {name for name, each in PRESETS.items() if each.options.get("strength", 1.0) > 1} == {"strong"}


def test_every_option_has_a_sentence_and_a_plain_value(empty_shelf: Shelf) -> None:
    for name in defences.names():
        make = defences.create(name, empty_shelf, CPU)
        assert all(len(text) > 10 for text in options_of(make).values())
        assert all(isinstance(value, (bool, int, float)) for value in defaults_of(make).values())


@pytest.mark.parametrize("name", ["any", *POSTINGS])
def test_a_picture_goes_through_every_chain_with_a_gradient(name: str) -> None:
    route = through(name)
    assert route is not None
    transform = route(64.0)
    picture = torch.rand(1, 3, 48, 64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    rng = torch.Generator().manual_seed(2)
    met_as_it_is = 0
    for _ in range(40):
        seen = transform(picture, rng)
        assert seen.min() >= 0
        assert seen.max() <= 1
        met_as_it_is += torch.equal(seen, picture)
        (gradient,) = torch.autograd.grad(seen.sum(), picture)
        assert gradient.isfinite().all()
        assert (gradient != 0).any()
    assert 0 < met_as_it_is < 40


def test_through_nothing_means_as_delivered_only() -> None:
    assert through("none") is None


def test_a_part_shrinks_as_its_picture_does() -> None:
    route = through("instagram")
    assert route is not None
    part = torch.full((1, 3, 100, 100), 0.5)
    rng = torch.Generator().manual_seed(0)
    sizes = {tuple(route(2160.0)(part, rng).shape[-2:]) for _ in range(20)}
    assert sizes == {(100, 100), (50, 50)}  # as delivered, and at half the size with its picture of 2160 px
    assert {tuple(route(1080.0)(part, rng).shape[-2:]) for _ in range(20)} == {(100, 100)}


def test_an_unknown_chain_names_the_nearest() -> None:
    with pytest.raises(OptionError, match="did you mean instagram"):
        through("instagramm")
