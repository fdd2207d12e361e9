"""A tiny transformer in files of the same shape as the published ones; the real file has 343 MB."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from deepguard.errors import WeightsCorrupt
from deepguard.models.classifiers.vit_deepfake_v2 import Vit, vit_deepfake_v2

pytest.importorskip("transformers", reason="the extra vit is not installed")

CPU = torch.device("cpu")
WIDTH, INNER, SIDE, PATCH = 8, 16, 32, 16
CONFIG = {
    "architectures": ["ViTForImageClassification"],
    "hidden_act": "gelu",
    "hidden_size": WIDTH,
    "id2label": {"0": "Realism", "1": "Deepfake"},
    "image_size": SIDE,
    "intermediate_size": INNER,
    "label2id": {"Deepfake": 1, "Realism": 0},
    "layer_norm_eps": 1e-12,
    "model_type": "vit",
    "num_attention_heads": 2,
    "num_channels": 3,
    "num_hidden_layers": 1,
    "patch_size": PATCH,
    "qkv_bias": True,
    "transformers_version": "4.49.0.dev0",
}
PREPROCESSOR = {
    "do_normalize": True,
    "image_mean": [0.5, 0.4, 0.3],
    "image_std": [0.5, 0.25, 0.2],
    "image_processor_type": "ViTImageProcessor",
    "size": {"height": SIDE, "width": SIDE},
}


def state() -> dict[str, Tensor]:
    """The names under which the published file keeps its tensors; the values are drawn."""
    cells = (SIDE // PATCH) ** 2 + 1
    block = "vit.encoder.layer.0"
    shapes = {
        "vit.embeddings.cls_token": (1, 1, WIDTH),
        "vit.embeddings.position_embeddings": (1, cells, WIDTH),
        "vit.embeddings.patch_embeddings.projection.weight": (WIDTH, 3, PATCH, PATCH),
        "vit.embeddings.patch_embeddings.projection.bias": (WIDTH,),
        f"{block}.intermediate.dense.weight": (INNER, WIDTH),
        f"{block}.intermediate.dense.bias": (INNER,),
        f"{block}.output.dense.weight": (WIDTH, INNER),
        f"{block}.output.dense.bias": (WIDTH,),
        "classifier.weight": (2, WIDTH),
        "classifier.bias": (2,),
    }
    for layer in (*(f"attention.attention.{each}" for each in ("query", "key", "value")), "attention.output.dense"):
        shapes |= {f"{block}.{layer}.weight": (WIDTH, WIDTH), f"{block}.{layer}.bias": (WIDTH,)}
    for norm in (f"{block}.layernorm_before", f"{block}.layernorm_after", "vit.layernorm"):
        shapes |= {f"{norm}.weight": (WIDTH,), f"{norm}.bias": (WIDTH,)}
    rng = torch.Generator().manual_seed(5)
    return {name: torch.randn(shape, generator=rng) for name, shape in shapes.items()}


def made(folder: Path, config: object = CONFIG, preprocessor: object = PREPROCESSOR, **tensors: Tensor) -> Vit:
    save_file(state() | tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor), encoding="utf-8")
    names = ("model.safetensors", "config.json", "preprocessor_config.json")
    return vit_deepfake_v2([folder / name for name in names], CPU)


@pytest.fixture
def crops(rng: torch.Generator) -> Tensor:
    return torch.rand(3, 3, SIDE, SIDE, generator=rng)


def test_the_published_names_of_tensors_are_read_and_the_crop_is_the_preprocessors(tmp_path: Path) -> None:
    classifier = made(tmp_path)
    assert classifier.crop.side == SIDE
    assert torch.equal(classifier.network.classifier.weight, state()["classifier.weight"])
    assert not any(parameter.requires_grad for parameter in classifier.network.parameters())
    assert not classifier.network.training


def test_the_logit_is_fake_less_real_of_normalised_pixels(tmp_path: Path, crops: Tensor) -> None:
    classifier = made(tmp_path)
    mean, std = (torch.tensor(PREPROCESSOR[key]).view(1, 3, 1, 1) for key in ("image_mean", "image_std"))
    real, fake = classifier.network(pixel_values=(crops - mean) / std).logits.T
    assert torch.allclose(classifier.fakeness(crops), fake - real, atol=1e-6)


def test_it_keeps_what_classifiers_promise(tmp_path: Path, crops: Tensor) -> None:
    classifier = made(tmp_path)
    images = crops.clone().requires_grad_()
    logits = classifier.fakeness(images)
    assert (logits.shape, logits.dtype) == ((3,), torch.float32)
    gradient = torch.autograd.grad(logits.sum(), images)[0]
    assert (gradient.abs().amax(dim=(1, 2, 3)) > 0).all()
    assert torch.equal(classifier.fakeness(crops), logits)
    assert classifier.fakeness(crops[:0]).shape == (0,)


def test_the_labels_order_is_read_from_the_config(tmp_path: Path, crops: Tensor) -> None:
    fakeness = made(tmp_path).fakeness(crops)
    turned = made(tmp_path, CONFIG | {"id2label": {"0": "Deepfake", "1": "Realism"}}).fakeness(crops)
    assert torch.equal(turned, -fakeness)
    assert fakeness.abs().min() > 0


@pytest.mark.parametrize("names", [("Real", "Fake"), ("REALISM", "Deepfake"), ("real", "fake_realistic")])
def test_words_of_the_makers_other_models_are_understood(tmp_path: Path, names: tuple[str, str]) -> None:
    assert made(tmp_path, CONFIG | {"id2label": {"0": names[0], "1": names[1]}}).fake == 1


@pytest.mark.parametrize(
    "labels",
    [
        {"0": "LABEL_0", "1": "LABEL_1"},
        {"0": "Fake", "1": "Deepfake"},
        {"0": "Real", "1": "Realism"},
        {"0": "Real", "1": "Fake", "2": "Artificial"},
        {"0": "Real", "2": "Fake"},
        {"0": "Real", "1": 1},
        ["Real", "Fake"],
        None,
    ],
)
def test_labels_that_cannot_be_told_apart_are_refused_in_a_sentence(tmp_path: Path, labels: object) -> None:
    with pytest.raises(WeightsCorrupt, match="does not tell which of its labels means fake"):
        made(tmp_path, CONFIG | {"id2label": labels})


def test_what_the_preprocessor_leaves_out_is_the_configs_or_that_of_the_original_vit(tmp_path: Path) -> None:
    classifier = made(tmp_path, preprocessor={})
    assert classifier.crop.side == SIDE
    assert classifier.mean.flatten().tolist() == classifier.std.flatten().tolist() == [0.5] * 3
    assert made(tmp_path, preprocessor={"size": SIDE}).crop.side == SIDE


@pytest.mark.parametrize(
    "preprocessor",
    [
        {"size": {"height": 32, "width": 64}},
        {"size": 64},
        {"size": "large"},
        {"image_mean": [0.5]},
        {"image_std": [0, 1, 1]},
        {"image_std": 1},
    ],
)
def test_a_preprocessor_of_another_kind_is_refused(tmp_path: Path, preprocessor: dict[str, Any]) -> None:
    with pytest.raises(WeightsCorrupt, match=r"preprocessor_config\.json describes no ViT"):
        made(tmp_path, preprocessor=preprocessor)


@pytest.mark.parametrize(
    "config",
    [
        CONFIG | {"num_hidden_layers": 2},
        CONFIG | {"hidden_size": 16},
        CONFIG | {"hidden_size": "wide"},
        CONFIG | {"num_attention_heads": 3},
        CONFIG | {"hidden_act": "nonsense"},
        {name: value for name, value in CONFIG.items() if name != "image_size"},
    ],
)
def test_weights_that_do_not_fit_the_config_are_refused(tmp_path: Path, config: dict[str, Any]) -> None:
    with pytest.raises(WeightsCorrupt, match=r"holds another network|describes no ViT"):
        made(tmp_path, config)


def test_a_tensor_too_many_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsCorrupt, match="holds another network"):
        made(tmp_path, backdoor=torch.zeros(3))


def test_files_that_are_no_json_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsCorrupt, match="is not one JSON object"):
        made(tmp_path, config=[1])
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(WeightsCorrupt, match="is no JSON"):
        vit_deepfake_v2([tmp_path / name for name in ("model.safetensors", "config.json", "config.json")], CPU)


def test_entries_that_name_code_are_never_followed(tmp_path: Path, crops: Tensor) -> None:
    plain = made(tmp_path).fakeness(crops)
    odd = {
        "auto_map": {"AutoConfig": "evil--code.Config"},
        "attn_implementation": "someone/kernels",
        "_attn_implementation": "someone/kernels",
        "quantization_config": {"quant_method": "evil"},
    }
    assert torch.equal(made(tmp_path, CONFIG | odd).fakeness(crops), plain)


def test_nothing_is_said_on_the_error_stream(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    made(tmp_path)
    with pytest.raises(WeightsCorrupt):
        made(tmp_path, backdoor=torch.zeros(3))
    assert capfd.readouterr().err == ""
