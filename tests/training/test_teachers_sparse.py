"""The sparse teacher, Siamese and inference-free: its scores are the model's; encoded once; killed and resumed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import scipy.sparse
import torch
from sentence_transformers import SparseEncoder
from sentence_transformers.sparse_encoder.modules import SpladePooling

from opensearch_lsr.training import checkpoint
from opensearch_lsr.training.teachers import kept
from opensearch_lsr.training.teachers.sparse import SparseTeacher

QUERIES = ["leak in the kitchen tap", "bread bread", ""]
DOCUMENTS = [
    "the kitchen tap has a leak and water drip all day",
    "cook bread in the oven with flour and salt",
    "water",
    "",
    "the train to the mountain is slow " * 9,
]


def everything(teacher: SparseTeacher) -> torch.Tensor:
    return teacher.scores(range(len(QUERIES)), range(len(DOCUMENTS)))


@pytest.mark.parametrize("layout", ["siamese", "router"])
def test_scores_are_the_models_dot_products(
    layout: str, checkpoint_folder: Callable[..., Path], tmp_path: Path
) -> None:
    folder = checkpoint_folder(layout)
    model = SparseEncoder(str(folder), device="cpu")
    expected = model.encode_query(QUERIES).to_dense() @ model.encode_document(DOCUMENTS).to_dense().T
    teacher = SparseTeacher.prepare(folder, QUERIES, DOCUMENTS, tmp_path, "cpu")
    got = everything(teacher)
    assert got.dtype == torch.float32
    assert expected.max() > 5
    torch.testing.assert_close(got, expected, rtol=0.03, atol=0.3)  # bfloat16 on the way
    assert torch.equal(teacher.scores([1, 0], [4, 4, 0]), got[[1, 0]][:, [4, 4, 0]])
    assert teacher.scores([0], [0]).shape == (1, 1)


def test_the_arg_max_head_where_it_fits(
    checkpoint_folder: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vectors without sentence-transformers' pooling of all logits; a model that sums over positions keeps that."""
    summing = checkpoint.load(checkpoint_folder("siamese"))
    summing[1].pooling_strategy = "sum"
    checkpoint.save(summing, tmp_path / "sum")
    expected = summing.encode_query(QUERIES).to_dense() @ summing.encode_document(DOCUMENTS).to_dense().T
    teacher = SparseTeacher.prepare(tmp_path / "sum", QUERIES, DOCUMENTS, tmp_path, "cpu")
    torch.testing.assert_close(everything(teacher), expected, rtol=0.03, atol=0.3)

    def refuse(*arguments: Any) -> Any:
        raise AssertionError("all logits were built")

    monkeypatch.setattr(SpladePooling, "forward", refuse)
    teacher = SparseTeacher.prepare(checkpoint_folder("siamese"), QUERIES, DOCUMENTS, tmp_path, "cpu")
    assert everything(teacher).max() > 5


def test_an_inference_free_query_weighs_each_of_its_tokens_once(
    checkpoint_folder: Callable[..., Path], tmp_path: Path
) -> None:
    teacher = SparseTeacher.prepare(checkpoint_folder("router"), ["bread", "bread bread"], DOCUMENTS, tmp_path, "cpu")
    scores = teacher.scores([0, 1], range(len(DOCUMENTS)))
    assert scores[0, 1] > 0
    assert torch.equal(scores[0], scores[1])


def test_files_hold_what_is_not_zero(checkpoint_folder: Callable[..., Path], tmp_path: Path) -> None:
    SparseTeacher.prepare(checkpoint_folder("router"), QUERIES, DOCUMENTS, tmp_path, "cpu")
    (file,) = tmp_path.glob("sparse-query-*.npz")
    queries = scipy.sparse.load_npz(file)
    assert (queries.format, queries.dtype, queries.shape[0]) == ("csr", "float32", 3)
    assert queries[0].nnz == 5
    assert queries[1].nnz == 1
    assert queries[2].nnz == 0


def test_killed_resumed_and_loaded(
    checkpoint_folder: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = checkpoint_folder("siamese")
    monkeypatch.setattr(kept, "BLOCK", 2)
    expected = SparseTeacher.prepare(folder, QUERIES, DOCUMENTS, tmp_path / "whole", "cpu")
    encoded: list[str] = []
    encode = SparseEncoder.encode
    stop = 5  # three queries and the first block of documents

    def counted(self: SparseEncoder, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if len(encoded) + len(inputs) > stop:
            raise KeyboardInterrupt
        encoded.extend(inputs)
        return encode(self, inputs, *args, **kwargs)

    monkeypatch.setattr(SparseEncoder, "encode", counted)
    with pytest.raises(KeyboardInterrupt):
        SparseTeacher.prepare(folder, QUERIES, DOCUMENTS, tmp_path / "killed", "cpu")
    assert sorted(encoded) == sorted(QUERIES + DOCUMENTS[:2])
    encoded.clear()
    resumed = SparseTeacher.prepare(folder, QUERIES, DOCUMENTS, tmp_path / "killed", "cpu")
    assert sorted(encoded) == sorted(DOCUMENTS[2:])
    assert torch.equal(everything(resumed), everything(expected))
    encoded.clear()
    loaded = SparseTeacher.prepare(folder, QUERIES, DOCUMENTS, tmp_path / "killed", "cpu")
    assert not encoded
    assert torch.equal(everything(loaded), everything(expected))
