"""Self-blended faces: inside the outline another look, outside the same picture."""

from __future__ import annotations

import torch

from deepguard.forensics.training.blends import MEAN_FACE, _fit, _masks, self_blended


def _faces(count: int = 8, side: int = 64) -> torch.Tensor:
    ramp = torch.linspace(0, 1, side)
    waves = torch.stack([torch.sin(ramp[:, None] * (5 + n) + ramp[None, :] * (9 - n)) for n in range(count)])
    return (waves[:, None] * 0.2 + 0.5).expand(count, 3, side, side).contiguous()


def test_a_fake_differs_from_its_face_and_stays_a_picture() -> None:
    faces = _faces()
    landmarks = torch.full((8, 5, 2), float("nan"))
    fakes = self_blended(faces, landmarks, torch.Generator().manual_seed(0))
    assert fakes.shape == faces.shape
    assert float(fakes.min()) >= 0
    assert float(fakes.max()) <= 1
    changed = (fakes - faces).abs().amax(dim=(1, 2, 3))
    assert int((changed > 0.02).sum()) >= 6


def test_the_same_chance_makes_the_same_fakes() -> None:
    faces, landmarks = _faces(), torch.tensor(MEAN_FACE).expand(8, 5, 2)
    one = self_blended(faces, landmarks, torch.Generator().manual_seed(4))
    other = self_blended(faces, landmarks, torch.Generator().manual_seed(4))
    assert torch.equal(one, other)


def test_the_mask_follows_the_landmarks() -> None:
    small = torch.tensor(MEAN_FACE) * 0.4
    masks = _masks(_faces(16), small.expand(16, 5, 2), torch.Generator().manual_seed(1))
    assert float(masks[..., :32, :32].mean()) > 0.1
    assert float(masks[..., 40:, 40:].mean()) == 0


def test_a_similarity_brings_points_onto_others() -> None:
    points = torch.tensor(MEAN_FACE).numpy()
    wanted = points * 0.5 + 0.2
    matrix = _fit(points, wanted)
    # affine_grid's matrix takes places of the result to places of what is given
    placed = (wanted * 2 - 1) @ matrix[:, :2].T + matrix[:, 2]
    torch.testing.assert_close(torch.from_numpy(placed), torch.from_numpy(points * 2 - 1).double(), atol=1e-5, rtol=0)
