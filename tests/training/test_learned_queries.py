"""Learned query weights: their gradient by hand, their range, and what training leaves alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from sentence_transformers import SparseEncoder
from tiny_encoder import TOKENS, build, encode

from opensearch_lsr.token_weights import MAX_WEIGHT
from opensearch_lsr.training import checkpoint
from opensearch_lsr.training.learned_queries import KeptInRange
from opensearch_lsr.training.lexical_prior import LexicalPrior
from opensearch_lsr.training.recipe import Recipe
from opensearch_lsr.training.recipe_model import Prior
from opensearch_lsr.training.train import train


@pytest.mark.parametrize("learned", [True, False])
def test_the_gradient_is_the_documents_weights(masked_lm: Path, learned: bool) -> None:
    """∂s/∂u_j = w(d)_j for the query's tokens, however often it has them."""
    encoder = build(masked_lm, learn_query_weights=learned)
    table = checkpoint.query_table(encoder).weight
    assert table.requires_grad == learned
    document = encode(encoder, ["snow on the kitchen tap"]).detach()
    if learned:
        (gradient,) = torch.autograd.grad((encode(encoder, ["snow snow tap"], "query") @ document.T).sum(), [table])
        expected = torch.zeros(len(TOKENS))
        for token in ("snow", "tap"):
            expected[TOKENS.index(token)] = document[0, TOKENS.index(token)]
        torch.testing.assert_close(gradient, expected)
        assert expected.count_nonzero() > 0


def test_weights_stay_what_opensearch_takes(masked_lm: Path) -> None:
    table = checkpoint.query_table(build(masked_lm, learn_query_weights=True))
    with torch.no_grad():
        table.weight[[0, 2, 10, 11, 12]] = torch.tensor([3.0, -1.0, -0.5, 99.0, 7.0])
    KeptInRange(table).on_step_end(None, None, None)
    assert table.weight[[0, 2, 10, 11, 12]].tolist() == [0.0, 0.0, 0.0, MAX_WEIGHT, 7.0]


def test_what_no_example_has_stays_as_it_is(tiny_recipe: Callable[..., Recipe], tmp_path: Path) -> None:
    """No weight decay on the table and the prior: tokens that training never saw keep their weights to the bit."""
    recipe = tiny_recipe(
        model={"learn_query_weights": True, "lexical_prior": Prior()},
        training={"weight_decay": 0.5, "learning_rate": 1e-2, "query_learning_rate": 1e-2},
    )
    before = build(Path(recipe.model.backbone), learn_query_weights=True, lexical_prior=Prior())
    after = checkpoint.load(train(recipe, tmp_path / "run").path)
    unseen = TOKENS.index("!")
    for old, new in (
        (checkpoint.query_table(before).weight, checkpoint.query_table(after).weight),
        (prior(before).scale, prior(after).scale),
    ):
        assert new[unseen] == old[unseen] != 0
        assert not torch.equal(new, old)


def prior(encoder: SparseEncoder) -> LexicalPrior:
    (found,) = (one for one in checkpoint.document_modules(encoder) if isinstance(one, LexicalPrior))
    return found
