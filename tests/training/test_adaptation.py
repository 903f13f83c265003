"""A head for a backbone that has none: it learns to give tokens back, and documents end up as long as asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from sentence_transformers import SparseEncoder

from opensearch_lsr.cli.quickstart import SAMPLE
from opensearch_lsr.data import documents, training_set
from opensearch_lsr.training import checkpoint, model
from opensearch_lsr.training.adaptation import adapt
from opensearch_lsr.training.recipe import Recipe
from opensearch_lsr.training.recipe_model import Adaptation, Model
from opensearch_lsr.training.train import train

STEPS = 60
ASKED = Adaptation(STEPS, batch_size=16, max_length=32, learning_rate=1e-3, head_learning_rate=1e-2, active_dims=40)


def fresh(headless: Path) -> SparseEncoder:
    torch.manual_seed(0)
    return model.build(Model(str(headless), token_weights="ones", max_length=32))


@pytest.fixture(scope="module")
def texts() -> list[str]:
    return [text for _, _, text in documents.read_titled(SAMPLE)]


@pytest.fixture(scope="module")
def adapted(headless: Path, texts: list[str]) -> tuple[SparseEncoder, list[float]]:
    encoder, losses = fresh(headless), list[float]()
    adapt(encoder, texts, ASKED, 1, False, lambda step, steps, figures: losses.append(figures["adaptation_loss"]))
    return encoder.eval(), losses


def active_dims(encoder: SparseEncoder, texts: list[str]) -> float:
    return float((encoder.encode_document(texts, convert_to_sparse_tensor=False) > 0).sum(dim=1).float().mean())


def test_loss_falls(adapted: tuple[SparseEncoder, list[float]]) -> None:
    losses = adapted[1]
    assert len(losses) == 3  # every 20 steps
    assert losses[-1] < 0.9 * losses[0]


def test_active_dims(adapted: tuple[SparseEncoder, list[float]], headless: Path, texts: list[str]) -> None:
    """Before, nearly all of the 306 columns fire; afterwards about as many as asked for, on other documents, too."""
    assert active_dims(fresh(headless).eval(), texts[:50]) > 250
    assert active_dims(adapted[0], texts) == pytest.approx(ASKED.active_dims, rel=0.3)


def test_own_tokens_fire(adapted: tuple[SparseEncoder, list[float]]) -> None:
    encoder = adapted[0]
    (vector,) = encoder.encode_document(["water pipe kitchen leak"], convert_to_sparse_tensor=False)
    tokens = encoder.tokenizer.convert_ids_to_tokens(vector.topk(8).indices.tolist())
    assert len({"water", "pipe", "kitchen", "leak"} & set(tokens)) >= 3


def test_special_tokens_stay_silent(adapted: tuple[SparseEncoder, list[float]], texts: list[str]) -> None:
    encoder = adapted[0]
    vectors = encoder.encode_document(texts[:20], convert_to_sparse_tensor=False)
    assert not vectors[:, encoder.tokenizer.all_special_ids].any()


def test_the_seed_decides(headless: Path, texts: list[str]) -> None:
    def after(seed: int) -> dict[str, torch.Tensor]:
        encoder = fresh(headless)
        torch.manual_seed(0)  # of dropout
        adapt(encoder, texts, Adaptation(3, 8, 32), seed, False, lambda step, steps, figures: None)
        state: dict[str, torch.Tensor] = encoder.state_dict()
        return state

    one, same, other = after(1), after(1), after(2)
    assert all(torch.equal(value, same[name]) for name, value in one.items())
    assert not all(torch.equal(value, other[name]) for name, value in one.items())


def test_texts_that_are_few_or_short(headless: Path) -> None:
    """Fewer than a batch, and one without a token to mask."""
    losses: list[float] = []
    encoder = fresh(headless)
    adapt(encoder, ["snow", "dog"], Adaptation(2, 32, 32), 1, True, lambda a, b, found: losses.extend(found.values()))
    assert all(0 < loss < 100 for loss in losses)
    assert len(losses) == 1


def test_in_a_run(tiny_recipe: Callable[..., Recipe], headless: Path, examples_file: Path, tmp_path: Path) -> None:
    """Before the training, from the recipe's documents; the checkpoint is an ordinary one."""
    seen: list[str] = []
    recipe = tiny_recipe(
        model={"backbone": str(headless)},
        training={"steps": 2},
        adaptation=Adaptation(20, 8, 32, head_learning_rate=1e-2, active_dims=60),
    )
    trained = train(recipe, tmp_path / "out", on_log=lambda step, steps, figures: seen.extend(figures))
    assert seen.index("adaptation_loss") < seen.index("loss")
    encoder = checkpoint.load(trained.path)
    assert active_dims(encoder, training_set.read(examples_file).documents) == pytest.approx(60, rel=0.3)
