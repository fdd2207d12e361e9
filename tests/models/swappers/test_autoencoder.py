import pytest
import torch

from deepguard.models.swappers import autoencoder as module
from deepguard.models.swappers.autoencoder import Autoencoder, Pair, distorted
from deepguard.models.swappers.roles import Crops
from deepguard.types import Progress

CPU = torch.device("cpu")


class Stop(Exception):
    pass


@pytest.fixture
def people(rng):
    """Two people of a few pixels each, as crops: they are told apart by a square on one side of the face."""
    template = Autoencoder(CPU).source
    left, right = (torch.full((1, 3, 256, 256), 0.5) for _ in range(2))
    left[..., 100:150, 70:110] = torch.tensor([0.9, 0.2, 0.2])[:, None, None]
    right[..., 100:150, 146:186] = torch.tensor([0.2, 0.2, 0.9])[:, None, None]
    marks = torch.tensor(template.points, dtype=torch.float64)[None]
    return Crops(left, marks), Crops(right, marks)


def chance(seed=3):
    return torch.Generator().manual_seed(seed)


def test_after_training_the_other_is_drawn_more_like_the_victim(people):
    source, target = people
    trained = Autoencoder(CPU).learn(source, target, steps=40, rng=chance())
    drawn = trained.swap(target)
    strange = Autoencoder(CPU).learn(source, target, steps=0, rng=chance()).swap(target)
    part = (slice(None), slice(None), slice(110, 140), slice(80, 100))
    difference = [(each[part] - source.images[part]).abs().mean() for each in (drawn, strange)]
    assert difference[0] < 0.6 * difference[1]


def test_the_same_seed_and_steps_make_the_same_swap_and_another_seed_another(people):
    one, same, other = (
        Autoencoder(CPU).learn(*people, steps=2, rng=chance(seed)).swap(people[1]) for seed in (3, 3, 4)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_it_does_as_many_steps_as_it_is_told_and_says_so(people):
    told = []
    Autoencoder(CPU).learn(*people, steps=3, rng=chance(), watch=told.append)
    assert told == [Progress("training the swapper", done, 3) for done in range(4)]


def test_raising_from_the_watch_ends_the_training_in_its_middle(people, monkeypatch):
    steps = []
    monkeypatch.setattr(module, "distorted", lambda images, rng: steps.append(1) or distorted(images, rng))

    def watch(progress):
        if progress.done == 2:
            raise Stop

    with pytest.raises(Stop):
        Autoencoder(CPU).learn(*people, steps=50, rng=chance(), watch=watch)
    assert len(steps) == 2


def test_the_encoder_does_not_see_what_is_around_the_face(rng):
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 20:40, 20:40] = 1
    pair = Pair(mask, rng)
    crops = torch.rand(1, 3, 64, 64, generator=rng)
    beside = crops.clone()
    beside[..., :10] = 1 - beside[..., :10]
    within = crops.clone()
    within[..., 25:30, 25:30] = 1 - within[..., 25:30, 25:30]
    assert torch.equal(pair.coded(crops), pair.coded(beside))
    assert not torch.equal(pair.coded(crops), pair.coded(within))


def test_both_people_share_one_encoder_and_have_a_decoder_each(rng):
    pair = Pair(torch.ones(1, 1, 64, 64), rng)
    first, second = pair(torch.rand(4, 3, 64, 64, generator=rng))
    assert first.shape == second.shape == (2, 3, 64, 64)
    first.sum().backward()
    assert all(weights.grad is not None for weights in pair.encoder.parameters())
    assert all(weights.grad is None for weights in pair.other.parameters())


def test_what_is_wanted_is_not_warped_and_both_are_moved_alike(rng, monkeypatch):
    ramp = torch.linspace(0, 1, 64).expand(1, 3, 64, 64)
    monkeypatch.setattr(module, "JITTER", 0.0)
    warped, wanted = distorted(ramp, rng)
    assert torch.equal(warped, wanted)
    monkeypatch.setattr(module, "JITTER", 0.05)
    warped, wanted = distorted(ramp, rng)
    bend = (wanted[0, 0, 10:-10, 10:-10].diff(dim=1).diff(dim=1)).abs().max()
    assert bend < 1e-4
    assert not torch.allclose(warped, wanted)
