import json
from pathlib import Path

import numpy as np
import pytest
import torch

from deepguard.errors import WeightsCorrupt
from deepguard.models.encoders import face_api_resnet
from deepguard.models.roles import encoders

CPU = torch.device("cpu")
GOLDEN = Path(__file__).with_suffix(".json").with_name("face_api_resnet.json")
"""What face-api itself says of the sample photo's rows 40 to 190 and columns 150 to 300, on its CPU backend."""


def test_the_descriptor_equals_the_one_of_face_api(stock, astronaut):
    shelf = stock(face_api_resnet.DATA, face_api_resnet.MANIFEST)
    encoder = encoders.create("face-api-resnet", shelf, CPU)
    golden = torch.tensor(json.loads(GOLDEN.read_text()))
    with torch.no_grad():
        chip = astronaut[..., 40:190, 150:300]
        (raw,) = encoder.network(chip - torch.tensor(encoder.mean)[:, None, None])
        (vector,) = encoder.embed(chip)
    np.testing.assert_allclose(raw, golden, atol=2e-6)
    np.testing.assert_allclose(vector, golden / golden.norm(), atol=2e-6)


def test_blocks_fill_what_is_smaller_with_zeros():
    state = {}
    for number, given in ((1, 2), (2, 4)):
        state |= {
            f"x_down/conv{number}/conv/filters": torch.zeros(3, 3, given, 4),
            f"x_down/conv{number}/conv/bias": torch.ones(4),
            f"x_down/conv{number}/scale/weights": torch.full((4,), 2.0),
            f"x_down/conv{number}/scale/biases": torch.full((4,), -1.0),
        }
    made = face_api_resnet.Block(state, "x_down")(torch.full((1, 2, 8, 8), 3.0))
    # convolutions bring 1 * 2 - 1 on 3 x 3, the average 3 on 4 x 4 and two of four channels
    assert made.shape == (1, 4, 4, 4)
    assert torch.equal(made[0, :, 0, 0], torch.tensor([4.0, 4.0, 1.0, 1.0]))
    assert torch.equal(made[0, :, 3, 3], torch.tensor([3.0, 3.0, 0.0, 0.0]))


def test_another_network_is_refused(tmp_path):
    manifest, data = tmp_path / "manifest.json", tmp_path / "data.bin"
    manifest.write_text(json.dumps([{"weights": [{"name": "fc", "shape": [1], "dtype": "float32"}]}]))
    data.write_bytes(bytes(4))
    with pytest.raises(WeightsCorrupt, match="another network than dlib's ResNet"):
        face_api_resnet.face_api_resnet([data, manifest], CPU)
