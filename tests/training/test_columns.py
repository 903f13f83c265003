"""The document columns of a batch are encoded as one, to the same vectors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_encoder import build

from opensearch_lsr.training.loss import in_one
from opensearch_lsr.training.recipe_model import Prior

COLUMNS = [["the kitchen tap leaks", "snow"], ["replace the battery of a phone and charge it", "the sea"]]


@pytest.mark.parametrize(
    "asked", [{}, {"lexical_prior": Prior()}, {"head": "logits"}], ids=["plain", "prior", "logits"]
)
def test_vectors_of_a_masked_lm(asked: dict[str, Any], masked_lm: Path) -> None:
    same_as_apart(masked_lm, **asked)


@pytest.mark.parametrize("attention", ["causal", "echo", "bidirectional"])
def test_vectors_of_a_causal_lm(attention: str, causal_lm: Callable[..., Path]) -> None:
    same_as_apart(causal_lm(), attention=attention)


def same_as_apart(backbone: Path, **asked: Any) -> None:
    encoder = build(backbone, **asked)
    columns = [dict(encoder.preprocess(texts, task="document")) for texts in COLUMNS]
    widths = [column["attention_mask"].shape[1] for column in columns]
    assert widths[0] < widths[1]
    (merged,) = in_one(columns)
    assert merged["attention_mask"].shape == (4, widths[1])
    apart = torch.cat([encoder(dict(column), task="document")["sentence_embedding"] for column in columns])
    assert (apart > 0).any(dim=1).all()
    torch.testing.assert_close(encoder(merged, task="document")["sentence_embedding"], apart)


def test_columns_without_a_mask_stay_apart() -> None:
    """Flash attention takes a batch as one long row."""
    columns = [{"input_ids": torch.tensor([[5, 6, 7]])}, {"input_ids": torch.tensor([[5, 6]])}]
    assert in_one(columns) is columns
