"""Documents that keep their strongest tokens alone: cut inside the graph, at every precision."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster import probe
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.errors import CheckpointError, DeploymentError, ParityError
from opensearch_lsr.export import top_k
from opensearch_lsr.export.export import export

K = 5
TEXTS = ["the tap in the kitchen leaks, snow and water", "snow", ""]


def kept(bundle: Bundle, vector: dict[str, float]) -> dict[str, float]:
    """What should be left of a whole vector."""
    table = bundle.named_weights if bundle.config.query == "table" else dict.fromkeys(vector, 1.0)
    ranked = sorted(vector, key=lambda token: -vector[token] * table[token])
    return {token: vector[token] for token in ranked[:K]}


@pytest.mark.parametrize("quantize", ["none", "fp16", "int8", "int8-dynamic", "int4"])
def test_a_document_keeps_what_can_add_most(
    checkpoint_folder: Callable[..., Path], tmp_path: Path, quantize: str
) -> None:
    bundle = export(checkpoint_folder(), tmp_path / "cut", quantize=quantize, top_k=K)
    whole = DocumentEncoder(export(checkpoint_folder(), tmp_path / "whole", quantize=quantize)).encode(TEXTS)
    assert len(whole[0]) > K
    for vector, full in zip(DocumentEncoder(bundle).encode(TEXTS), whole, strict=True):
        assert vector == pytest.approx(kept(bundle, full), rel=1e-5)
    assert bundle.config.top_k == K and bundle.config.parity["active_dims_kept"] <= K
    assert "the 5 tokens that can add most" in (bundle.path / "README.md").read_text(encoding="utf-8")


def test_entries_are_ranked_by_what_they_add_not_by_weight(
    checkpoint_folder: Callable[..., Path], exported: Callable[..., Bundle], tmp_path: Path
) -> None:
    bundle = export(checkpoint_folder(), tmp_path / "cut", top_k=K)
    (whole,), (vector,) = (DocumentEncoder(one).encode(TEXTS[:1]) for one in (exported(), bundle))
    assert vector.keys() != set(sorted(whole, key=lambda token: -whole[token])[:K])


@pytest.mark.parametrize("k", [0, -1, 10**6])
def test_numbers_that_no_document_can_keep(checkpoint_folder: Callable[..., Path], tmp_path: Path, k: int) -> None:
    with pytest.raises(CheckpointError, match=f"top_k {k}: a document keeps at least 1 token, at most all"):
        export(checkpoint_folder(), tmp_path / "bundle", top_k=k)
    assert not (tmp_path / "bundle").exists()


def test_a_graph_that_keeps_others_is_refused(
    checkpoint_folder: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(top_k, "append", lambda model, k, checkpoint: model)
    with pytest.raises(ParityError, match="does not keep the 5 tokens that add most"):
        export(checkpoint_folder(), tmp_path / "bundle", top_k=K)
    assert not (tmp_path / "bundle").exists()


def test_a_deployed_model_may_differ_in_the_weakest_alone(
    checkpoint_folder: Callable[..., Path], tmp_path: Path
) -> None:
    """Which entry is the k-th may be decided by a rounding of another onnxruntime; the strong ones may not."""
    bundle = export(checkpoint_folder(), tmp_path / "cut", top_k=K)
    vectors = DocumentEncoder(bundle).encode(probe.TEXTS)
    table = bundle.named_weights
    ranked = [sorted(vector, key=lambda token: vector[token] * table[token]) for vector in vectors]
    assert all(len(vector) == K for vector in vectors)

    def without(place: int) -> list[dict[str, float]]:
        return [
            {token: weight for token, weight in vector.items() if token != order[place]}
            for vector, order in zip(vectors, ranked, strict=True)
        ]

    probe.documents(bundle, lambda _: without(0), "cut")
    with pytest.raises(DeploymentError, match="model cut: token"):
        probe.documents(bundle, lambda _: without(-1), "cut")
