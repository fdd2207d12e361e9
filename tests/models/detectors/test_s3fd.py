import numpy as np
import pytest
import torch

from deepguard.models.detectors import s3fd
from deepguard.weights.formats.caffemodel import read_caffemodel


@pytest.fixture
def network(stock):
    return s3fd.Network(read_caffemodel(stock(s3fd.WEIGHTS).path(s3fd.WEIGHTS)))


def test_every_layer_equals_the_golden_figures(network, shared):
    golden = np.load(shared / "models" / "golden" / "s3fd-mobilenetv2.npz")
    images = torch.from_numpy(golden["input_u8"]).flip(1).float() / 255
    base = list(network.parts[0])
    taken = {}
    # modules of the base: two convolutions with ReLU, depthwise with ReLU, project, then blocks 1 to 9
    for place, module in (("Conv_a", base[3]), ("conv_4", base[10]), ("conv_9", base[15])):
        module.register_forward_hook(lambda _, __, output, place=place: taken.update({place: output.clone()}))
    with torch.no_grad():
        maps = network.maps(s3fd._prepared(images))
    taken.update({name.replace("/", "."): each for name, each in zip(s3fd.MAPS, maps, strict=True)})
    for place, each in taken.items():
        assert (each.mean().item(), each.std().item()) == pytest.approx(golden[f"tap_{place}_mean_std"], abs=1e-4), (
            place
        )


@pytest.mark.parametrize(("height", "width"), [(320, 320), (129, 257), (1, 31), (250, 8)])
def test_maps_round_up_at_every_size_so_that_priors_fit(network, height, width):
    maps = network.maps(torch.zeros(1, 3, height, width))
    steps = [step for step, _ in s3fd.LEVELS]
    assert [tuple(each.shape[-2:]) for each in maps] == [(-(-height // step), -(-width // step)) for step in steps]


def test_the_score_is_the_sigmoid_of_the_face_channel_alone(network, shared):
    golden = np.load(shared / "models" / "golden" / "s3fd-mobilenetv2.npz")
    images = torch.from_numpy(golden["input_u8"]).flip(1).float() / 255
    with torch.no_grad():
        logits = s3fd._evidence(network, images).logits
    assert np.allclose(logits[0], golden["raw_conf"][:, 1], rtol=0, atol=1e-4)
