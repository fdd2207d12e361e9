import torch

from deepguard.models.swappers.roles import Crops, crops_at, portrait
from deepguard.models.swappers.warp import Warp

MARKS = ((203.4, 102.4), (244.1, 104.6), (222.9, 129.7), (202.8, 139.4), (243.9, 140.8))


def learned(source, rng):
    return Warp().learn(source, source, steps=0, rng=rng)


def test_a_face_put_on_itself_stays_as_it_is(astronaut, rng):
    crops, _ = crops_at(astronaut, MARKS, Warp().source)
    swapped = learned(crops, rng).swap(crops)
    assert (swapped - crops.images).abs().max() < 0.01


def test_each_landmark_comes_where_the_target_has_it(rng):
    template = portrait(256)
    points = torch.tensor(template.points, dtype=torch.float64)
    aside = points + torch.tensor([[4.0, -6.0], [-5.0, 3.0], [6.0, 6.0], [-3.0, -4.0], [5.0, 2.0]], dtype=torch.float64)
    y, x = torch.meshgrid(torch.arange(256), torch.arange(256), indexing="ij")
    spots = sum(torch.exp(-((x - px) ** 2 + (y - py) ** 2) / 18) for px, py in points)
    source = Crops(spots.float().clamp(0, 1).expand(1, 3, 256, 256), points[None])
    target = Crops(source.images, aside[None])
    swapped = learned(source, rng).swap(target)[0, 0]
    for px, py in aside.round().long():
        around = swapped[py - 8 : py + 9, px - 8 : px + 9]
        peak = int(around.argmax())
        assert abs(peak // 17 - 8) <= 1
        assert abs(peak % 17 - 8) <= 1


def test_the_victims_face_takes_on_the_colours_of_the_other(astronaut, rng):
    crops, _ = crops_at(astronaut, MARKS, Warp().source)
    bluish = Crops(crops.images * torch.tensor([0.5, 0.5, 1.0])[:, None, None], crops.landmarks)
    swap = learned(crops, rng)
    inside = swap.mask > 0.9
    difference = swap.swap(bluish)[0][:, inside].mean(dim=1) - bluish.images[0][:, inside].mean(dim=1)
    assert difference.abs().max() < 0.02
