"""The dense teacher: its scores are the model's, and a text once encoded is not encoded again, killed or not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer

from opensearch_lsr.errors import CheckpointError, InputError
from opensearch_lsr.training.teachers import dense, kept
from opensearch_lsr.training.teachers.dense import DenseTeacher
from opensearch_lsr.training.teachers.encoder import batches

QUERIES = ["leak in the kitchen tap", "bread", "new train"]
DOCUMENTS = [
    "the kitchen tap has a leak and water drip all day",
    "cook bread in the oven with flour and salt",
    "the train to the mountain is slow",
    "water",
    "",
    "dog and cat and bird and fish and horse and cow and sheep " * 10,
    "music",
]


@pytest.fixture(scope="module")
def tiny(make_dense: Callable[..., Path]) -> Path:
    return make_dense()


class Counting(SentenceTransformer):
    """Notes what it encodes; stops, as a kill would, before text number ``stop``."""

    encoded: list[str] = []  # noqa: RUF012  the class is what the teacher opens
    opened = 0
    stop: int | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        Counting.opened += 1
        super().__init__(*args, **kwargs)

    def encode(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        if Counting.stop is not None and len(Counting.encoded) + len(inputs) > Counting.stop:
            raise KeyboardInterrupt
        Counting.encoded.extend(inputs)
        return super().encode(inputs, *args, **kwargs)


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> type[Counting]:
    monkeypatch.setattr(dense, "SentenceTransformer", Counting)
    monkeypatch.setattr(Counting, "encoded", [])
    monkeypatch.setattr(Counting, "opened", 0)
    monkeypatch.setattr(Counting, "stop", None)
    return Counting


def everything(teacher: DenseTeacher) -> torch.Tensor:
    return teacher.scores(range(len(QUERIES)), range(len(DOCUMENTS)))


@pytest.mark.parametrize("normalize", [True, False])
def test_scores_are_the_models_cosines(make_dense: Callable[..., Path], normalize: bool, tmp_path: Path) -> None:
    folder = make_dense(normalize)
    model = SentenceTransformer(str(folder), device="cpu")
    model.max_seq_length = 32
    expected = torch.nn.functional.cosine_similarity(
        model.encode(QUERIES, convert_to_tensor=True)[:, None], model.encode(DOCUMENTS, convert_to_tensor=True), dim=2
    )
    got = everything(DenseTeacher.prepare(folder, QUERIES, DOCUMENTS, tmp_path, "cpu", max_length=32))
    assert got.dtype == torch.float32
    assert expected.std() > 0.05  # otherwise the next line would say nothing
    torch.testing.assert_close(got, expected, rtol=0, atol=0.02)  # bfloat16 on the way, float16 in the file


def test_a_model_trained_for_dot_products_keeps_its_lengths(make_dense: Callable[..., Path], tmp_path: Path) -> None:
    folder = make_dense(False, "dot")
    model = SentenceTransformer(str(folder), device="cpu")
    expected = model.encode(QUERIES, convert_to_tensor=True) @ model.encode(DOCUMENTS, convert_to_tensor=True).T
    got = everything(DenseTeacher.prepare(folder, QUERIES, DOCUMENTS, tmp_path, "cpu"))
    assert expected.abs().max() > 2
    torch.testing.assert_close(got, expected, rtol=0.02, atol=0.2)


def test_blocks_batches_and_the_order_of_texts_do_not_matter(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = DenseTeacher.prepare(tiny, QUERIES, DOCUMENTS, tmp_path / "a", "cpu")
    monkeypatch.setattr(kept, "BLOCK", 2)
    small = DenseTeacher.prepare(tiny, QUERIES, DOCUMENTS, tmp_path / "b", "cpu", batch_tokens=1)
    torch.testing.assert_close(everything(small), everything(whole), rtol=0, atol=0.02)
    turned = DenseTeacher.prepare(tiny, QUERIES, DOCUMENTS[::-1], tmp_path / "c", "cpu", batch_tokens=1)
    torch.testing.assert_close(everything(turned).flip(1), everything(small))
    block = small.scores([2, 0], [6, 6, 1])
    torch.testing.assert_close(block, everything(small)[[2, 0]][:, [6, 6, 1]])
    assert small.scores([1], [1]).shape == (1, 1)


def test_a_second_preparation_does_not_open_the_model(tiny: Path, tmp_path: Path, counting: type[Counting]) -> None:
    first = DenseTeacher.prepare(tiny, QUERIES, DOCUMENTS, tmp_path, "cpu")
    assert (counting.opened, sorted(counting.encoded)) == (1, sorted(QUERIES + DOCUMENTS))
    second = DenseTeacher.prepare(tiny, QUERIES, DOCUMENTS, tmp_path, "cpu")
    assert (counting.opened, len(counting.encoded)) == (1, len(QUERIES + DOCUMENTS))
    assert torch.equal(everything(first), everything(second))
    names = sorted(path.name[:11] for path in tmp_path.glob("*.npy"))
    assert names == ["dense-docum", "dense-query"]


def test_a_changed_text_limit_or_model_is_another_file(
    tiny: Path, make_dense: Callable[..., Path], tmp_path: Path, counting: type[Counting]
) -> None:
    def encoded(model: Path, queries: list[str], **settings: int) -> int:
        before = len(counting.encoded)
        DenseTeacher.prepare(model, queries, DOCUMENTS[:2], tmp_path, "cpu", **settings)
        return len(counting.encoded) - before

    assert encoded(tiny, ["bread", "tap"]) == 4
    assert encoded(tiny, ["bread", "tap"]) == 0
    assert encoded(tiny, ["bread", "taps"]) == 2  # the documents stay
    assert encoded(tiny, ["breadtap", ""]) == 2  # the same characters
    assert encoded(tiny, ["bread", "tap"], max_length=16) == 4
    other = make_dense(seed=1)
    assert encoded(other, ["bread", "tap"]) == 4
    pooling = other / "1_Pooling" / "config.json"
    pooling.write_text(json.dumps(json.loads(pooling.read_text()) | {"pooling_mode": "cls"}))
    assert encoded(other, ["bread", "tap"]) == 4


def test_killed_and_resumed_equals_not_killed(
    tiny: Path, tmp_path: Path, counting: type[Counting], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "BLOCK", 2)
    expected = DenseTeacher.prepare(tiny, QUERIES, DOCUMENTS, tmp_path / "whole", "cpu")
    cache = tmp_path / "killed"
    counting.encoded.clear()
    counting.stop = 8  # three queries, then two blocks of documents and a half
    with pytest.raises(KeyboardInterrupt):
        DenseTeacher.prepare(tiny, QUERIES, DOCUMENTS, cache, "cpu", batch_tokens=8192)
    (parts,) = cache.glob("*.part")
    assert sorted(file.name for file in parts.iterdir()) == ["000000000000.npy", "000000000002.npy"]
    (parts / ".1f0c-000000000004.npy").write_bytes(b"\x93NUMPY half a fi")  # killed while writing
    counting.encoded.clear()
    counting.stop = None
    seen: list[tuple[str, int, int]] = []
    resumed = DenseTeacher.prepare(tiny, QUERIES, DOCUMENTS, cache, "cpu", on_progress=lambda *step: seen.append(step))
    assert sorted(counting.encoded) == sorted(DOCUMENTS[4:])
    assert torch.equal(everything(resumed), everything(expected))
    assert not list(cache.glob("*.part"))
    done = [n for what, n, total in seen if what == "tiny: documents" and total == 7]
    assert done[:2] == [2, 4]
    assert done[-1] == 7
    assert done == sorted(done)


def test_files_hold_float16(tiny: Path, tmp_path: Path) -> None:
    DenseTeacher.prepare(tiny, QUERIES, DOCUMENTS, tmp_path, "cpu")
    (file,) = tmp_path.glob("dense-document-*.npy")
    vectors = np.load(file)
    assert (vectors.dtype, vectors.shape) == (np.float16, (len(DOCUMENTS), 32))
    np.testing.assert_allclose(np.linalg.norm(vectors.astype(np.float32), axis=1), 1, atol=1e-3)


def test_batches_hold_so_many_tokens() -> None:
    texts = ["x" * 4 * 6, "", "", "", "x" * 4 * 6]  # 8, 2, 2, 2, 8 tokens
    assert list(batches(texts, 64, 8)) == [[0], [4], [1, 2, 3]]
    assert list(batches(texts, 4, 8)) == [[0, 4], [1, 2, 3]]
    assert list(batches(texts, 64, 1)) == [[0], [4], [1], [2], [3]]
    assert list(batches([], 64, 8)) == []


def test_what_cannot_be_a_teacher(tiny: Path, make_dense: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such folder; give a checkpoint's folder or its Hub name"):
        DenseTeacher.prepare(tmp_path / "nowhere", QUERIES, DOCUMENTS, tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(CheckpointError, match="has no .safetensors weights"):
        DenseTeacher.prepare(empty, QUERIES, DOCUMENTS, tmp_path)
    (empty / "model.safetensors").write_bytes(b"no weights")
    (empty / "modules.json").write_text("not JSON")
    with pytest.raises(CheckpointError, match="cannot be opened"):
        DenseTeacher.prepare(empty, QUERIES, DOCUMENTS, tmp_path, "cpu")
    with pytest.raises(CheckpointError, match="compares by euclidean; only cosine and dot"):
        DenseTeacher.prepare(make_dense(False, "euclidean"), QUERIES, DOCUMENTS, tmp_path, "cpu")
    with pytest.raises(InputError, match="tiny: queries: there are none to encode"):
        DenseTeacher.prepare(tiny, [], DOCUMENTS, tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written .*; choose another cache"):
        DenseTeacher.prepare(tiny, QUERIES, DOCUMENTS, tmp_path / "file", "cpu")
