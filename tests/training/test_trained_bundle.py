"""What was trained goes on into a bundle: a Siamese encoder, and one with all modules of this package."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from opensearch_lsr import DocumentEncoder, QueryEncoder
from opensearch_lsr.export.export import export
from opensearch_lsr.training import checkpoint, model, terms
from opensearch_lsr.training.recipe import Recipe, Regularizer
from opensearch_lsr.training.recipe_model import Prior
from opensearch_lsr.training.train import train

Make = Callable[..., Recipe]
TEXTS = ["the kitchen tap leaks", "a dog, a cat and a horse in the garden of the house", "water " * 100, "snow"]


def test_siamese(tiny_recipe: Make, tmp_path: Path) -> None:
    recipe = tiny_recipe(
        model={"query": "encoder", "logs": 1},
        training={"steps": 20, "learning_rate": 3e-3, "log_every": 1, "dropout": 0.0},
        regularizer=Regularizer(weight=0.01, query_weight=0.02),
        name="twins",
    )
    trained = train(recipe, tmp_path / "out")
    log = [json.loads(line) for line in (trained.path / "run" / "log.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in log if "loss" in line]
    assert sum(losses[-5:]) < sum(losses[:5])
    assert not (trained.path / "idf.json").exists()
    assert "a Siamese (query and document encoded) learned sparse encoder" in (trained.path / "README.md").read_text()
    bundle = export(trained.path, tmp_path / "bundle")
    assert bundle.config.query == "encoder"
    assert f"| backbone | {Path(recipe.model.backbone).name} |" in (bundle.path / "README.md").read_text()
    same_vectors(DocumentEncoder(bundle), trained.path, abs=1e-4)


def same_vectors(encoder: DocumentEncoder, folder: Path, abs: float) -> None:
    """The bundle's and the checkpoint's, opened by sentence-transformers."""
    oracle = checkpoint.load(folder)
    expected = oracle.encode_document(TEXTS, convert_to_sparse_tensor=False)
    tokens = oracle.tokenizer.convert_ids_to_tokens(range(expected.shape[1]))
    for vector, row in zip(encoder.encode(TEXTS), expected.tolist(), strict=True):
        given = [vector.get(token, 0.0) for token in tokens]
        assert given == pytest.approx(row, abs=abs)
        assert sum(value > 0 for value in given) > 3


@pytest.fixture(scope="module")
def with_prior(tiny_recipe: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of the modules, and a learned table."""
    recipe = tiny_recipe(
        model={"lexical_prior": Prior(average_length=12.0), "logs": 3, "learn_query_weights": True},
        training={"steps": 8, "learning_rate": 0.0, "head_learning_rate": 1e-2},
    )
    return train(recipe, tmp_path_factory.mktemp("prior") / "out").path


def test_rates(with_prior: Path, tiny_recipe: Make) -> None:
    """The head's rate is for head, prior and table; with the backbone's 0, nothing of the backbone moves."""
    start = model.build(tiny_recipe(model={"lexical_prior": Prior(average_length=12.0), "logs": 3}).model).state_dict()
    moved = {
        name for name, value in checkpoint.load(with_prior).state_dict().items() if not torch.equal(value, start[name])
    }
    assert moved
    assert not [name for name in moved if ".bert." in name or name.endswith("decoder.weight")]
    for part in ("transform.dense.weight", "transform.LayerNorm.bias", "decoder.bias", "scale", "raw_k", "raw_b"):
        assert [name for name in moved if name.endswith(part)], part
    assert [name for name in moved if name.startswith("0.sub_modules.query.")]


def test_one_rate_for_all(tiny_recipe: Make) -> None:
    recipe = tiny_recipe()
    assert terms.learning_rates(recipe, model.build(recipe.model)) == {}


def test_card_of_modules_of_ours(with_prior: Path) -> None:
    text = (with_prior / "README.md").read_text()
    assert "learned sparse encoder with a lexical prior, trained by" in text
    assert 'SparseEncoder("tiny", trust_remote_code=True)' in text


@pytest.mark.parametrize(("quantize", "tolerance"), [("none", 1e-4), ("int8", 0.1)])
def test_prior_into_a_bundle(with_prior: Path, tmp_path: Path, quantize: str, tolerance: float) -> None:
    bundle = export(with_prior, tmp_path / "bundle", quantize=quantize)
    assert (bundle.config.query, bundle.config.activation) == ("table", "log1p_log1p_relu")
    same_vectors(DocumentEncoder(bundle), with_prior, abs=tolerance)
    table = json.loads((with_prior / "idf.json").read_text())
    assert len(set(table.values())) > 2  # it was learned
    assert QueryEncoder.from_pretrained(str(bundle.path)).encode("water pipe") == pytest.approx(
        {t: table[t] for t in ("water", "pipe")}
    )
