"""A vocabulary of a corpus' own: documents and queries have its tokens, and no others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.errors import CheckpointError
from opensearch_lsr.export.export import export
from opensearch_lsr.query_encoder import QueryEncoder

TEXT = "the tap in the kitchen leaks, snow and water"


def test_both_sides_have_its_tokens_alone(
    checkpoint_folder: Callable[..., Path], exported: Callable[..., Bundle], tmp_path: Path
) -> None:
    (tmp_path / "words.txt").write_text("kitchen tap\n##s\n\nsnows\nwater\n")  # a text, tokens, and words in pieces
    kept = {"kitchen", "tap", "##s", "snow", "water"}
    bundle = export(checkpoint_folder(), tmp_path / "bundle", vocabulary=tmp_path / "words.txt")
    assert bundle.config.kept_tokens == len(kept)
    (vector,), (whole,) = (DocumentEncoder(one).encode([TEXT]) for one in (bundle, exported()))
    assert vector == pytest.approx({token: weight for token, weight in whole.items() if token in kept})
    assert {token for token, weight in bundle.weights.items() if weight} == kept
    assert QueryEncoder.from_pretrained(str(bundle.path)).encode("a leaking kitchen tap").keys() == {"kitchen", "tap"}
    assert bundle.config.query_fingerprint != exported().config.query_fingerprint
    assert bundle.document_key != exported().document_key
    assert "5 tokens have weights" in (bundle.path / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("quantize", ["none", "fp16", "int8", "int8-dynamic", "int4"])
def test_only_its_columns_are_projected_onto(
    checkpoint_folder: Callable[..., Path], exported: Callable[..., Bundle], tmp_path: Path, quantize: str
) -> None:
    """The same weights as in the whole, at every precision: each row of the table has a scale of its own."""
    kept = ["kitchen", "tap", "##s", "snow", "water", "in", "and"]
    (tmp_path / "words.txt").write_text("\n".join(kept))
    bundle = export(checkpoint_folder(), tmp_path / "bundle", vocabulary=tmp_path / "words.txt", quantize=quantize)
    whole = export(checkpoint_folder(), tmp_path / "whole", quantize=quantize)
    vectors, expected = (DocumentEncoder(one).encode([TEXT, "snow"]) for one in (bundle, whole))
    for vector, full in zip(vectors, expected, strict=True):
        assert vector == pytest.approx({token: full[token] for token in kept if token in full}, rel=1e-5)
    assert len(vectors[0]) > len(vectors[1]) > 0
    heads = [one for one in onnx.load(str(bundle.onnx)).graph.initializer if one.name == "head.bias"]
    assert [list(one.dims) for one in heads] == [[len(kept)]]


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00", b"\n \n"])
def test_a_file_that_is_no_vocabulary(
    checkpoint_folder: Callable[..., Path], tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "words.txt").write_bytes(content)
    with pytest.raises(
        CheckpointError, match=r"words\.txt: (cannot be read as a vocabulary|holds no words)"
    ) as refusal:
        export(checkpoint_folder(), tmp_path / "bundle", vocabulary=tmp_path / "words.txt")
    assert "\n" not in str(refusal.value) and not (tmp_path / "bundle").exists()
