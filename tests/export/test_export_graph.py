"""The ONNX file keeps ML Commons' contract, at every batch and sequence size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from tiny_checkpoint import SPECIALS, make_checkpoint, vocabulary

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.export import graph
from opensearch_lsr.export.checkpoint import Checkpoint

VOCAB = len(vocabulary())
QUANTIZATIONS = ["none", "int8", "int8-dynamic"]


@pytest.mark.parametrize("quantize", QUANTIZATIONS)
def test_names_types_and_versions(quantize: str, exported: Callable[..., Bundle]) -> None:
    model = onnx.load(str(exported(quantize=quantize).onnx))
    assert model.ir_version == 8
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 17)]
    described = [
        (
            value.name,
            value.type.tensor_type.elem_type,
            [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim],
        )
        for value in [*model.graph.input, *model.graph.output]
    ]
    assert described[:2] == [
        ("input1.input_ids", onnx.TensorProto.INT64, ["batch", "sequence"]),
        ("input1.attention_mask", onnx.TensorProto.INT64, ["batch", "sequence"]),
    ]
    assert described[2][:2] == ("output", onnx.TensorProto.FLOAT)
    assert described[2][2][0] == "batch" and len(described) == 3


def test_tied_weights_are_one_initializer(exported: Callable[..., Bundle]) -> None:
    large = [
        initializer.name
        for initializer in onnx.load(str(exported().onnx)).graph.initializer
        if VOCAB in initializer.dims and len(initializer.dims) == 2
    ]
    assert len(large) == 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 64), (5, 3), (3, 128)])
def test_every_shape_equals_torch(
    shape: tuple[int, int], exported: Callable[..., Bundle], checkpoint_folder: Callable[..., Path]
) -> None:
    module = graph.build(Checkpoint.open(checkpoint_folder()))
    ids = torch.randint(len(SPECIALS), VOCAB, shape, generator=torch.Generator().manual_seed(1))
    mask = torch.ones(shape, dtype=torch.int64)
    mask[-1, shape[1] // 2 + 1 :] = 0
    mask[0, : shape[1] // 3] = 0
    with torch.no_grad():
        expected = module(ids, mask).numpy()
    np.testing.assert_allclose(run(exported().onnx, ids.numpy(), mask.numpy()), expected, atol=1e-4)


@pytest.mark.parametrize("quantize", QUANTIZATIONS)
def test_a_fully_masked_row_is_zero(quantize: str, exported: Callable[..., Bundle]) -> None:
    ids = np.full((2, 4), 9, dtype=np.int64)
    mask = np.array([[1, 1, 1, 1], [0, 0, 0, 0]], dtype=np.int64)
    vectors = run(exported(quantize=quantize).onnx, ids, mask)
    assert vectors[0].any() and not vectors[1].any()


@pytest.mark.parametrize("quantize", QUANTIZATIONS)
def test_special_columns_are_zero_whatever_the_model_says(quantize: str, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    from opensearch_lsr.export.export import export

    folder = make_checkpoint(tmp_path / "checkpoint", "mlm")
    weights = load_file(folder / "model.safetensors")
    weights["cls.predictions.bias"][: len(SPECIALS)] = 20.0
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    bundle = export(folder, tmp_path / "bundle", quantize=quantize)
    ids = np.array([[2, 60, 70, 3]], dtype=np.int64)
    vector = run(bundle.onnx, ids, np.ones_like(ids))[0]
    assert not vector[: len(SPECIALS)].any() and vector.any()


def run(path: Path, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (output,) = session.run(None, {"input1.input_ids": ids, "input1.attention_mask": mask})
    return output
