import json

import pytest

from deepguard.errors import WeightsCorrupt
from deepguard.models.roles import encoders
from deepguard.models.thresholds import Thresholds, parsed, thresholds, written

KNOWN = Thresholds(0.3, 0.4, 0.9, 0.8, {"Asian women": 0.002}, {"date": "2026-11-22"})
MEASURED = [name for name in encoders.names() if thresholds(name)]


def test_what_is_written_is_read_again():
    again = parsed(written({"one": KNOWN}))
    assert again["one"].far_1e4 == 0.4
    assert dict(again["one"].groups) == {"Asian women": 0.002}
    assert json.loads(written(again)) == json.loads(written({"one": KNOWN}))


def test_an_encoder_that_nobody_measured_has_none():
    assert thresholds("nobody") is None


@pytest.mark.parametrize("name", MEASURED)
def test_measured_thresholds_are_plausible_and_say_how_they_were_made(name):
    known = thresholds(name)
    assert 0 < known.far_1e3 < known.far_1e4 < 1
    assert 1 >= known.match_1e3 >= known.match_1e4 > 0.3
    assert all(0 <= rate < 0.5 for rate in known.groups.values())
    assert {"command", "commit", "date", "detector", "photos", "photos without a face"} <= set(known.run)


def test_what_is_measured_cannot_be_changed_by_a_caller():
    for name in MEASURED:
        with pytest.raises(TypeError):
            thresholds(name).groups["x"] = 1.0


def test_what_comes_with_the_installation_counts_before_what_the_user_measured(tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPGUARD_MODELS", str(tmp_path))
    packaged = {name: thresholds(name) for name in MEASURED}
    (tmp_path / "thresholds.json").write_text(written(dict.fromkeys((*MEASURED, "mine"), KNOWN)))
    assert thresholds("mine").far_1e3 == 0.3
    assert {name: thresholds(name) for name in MEASURED} == packaged


@pytest.mark.parametrize("text", ["", "[]", '{"one": 1}', '{"one": {"far_1e3": 0.3}}'])
def test_a_file_of_something_else_on_the_shelf_is_one_sentence(text, tmp_path, monkeypatch):
    monkeypatch.setenv("DEEPGUARD_MODELS", str(tmp_path))
    (tmp_path / "thresholds.json").write_text(text)
    with pytest.raises(WeightsCorrupt, match="remove it and measure again"):
        thresholds("mine")


def test_every_encoder_whose_file_has_a_source_was_measured():
    sourced = [name for name in encoders.names() if all(each.urls for each in encoders.entry(name).weights)]
    assert sourced == MEASURED


@pytest.mark.parametrize("name", MEASURED)
def test_thresholds_belong_to_the_weights_that_are_pinned(name):
    assert thresholds(name).run["weights"].split() == [each.sha256[:16] for each in encoders.entry(name).weights]
