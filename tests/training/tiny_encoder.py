"""Encoders built from tiny backbones, and their vectors with gradients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sentence_transformers import SparseEncoder
from sentence_transformers.base.modules import Router
from tiny_checkpoint import SPECIALS, vocabulary
from torch import Tensor

from opensearch_lsr.training import checkpoint, model
from opensearch_lsr.training.recipe_model import Model

TEXTS = ["the kitchen tap leaks", "replace the battery of a phone and charge it", "snow snow snow"]
TOKENS = vocabulary()
SPECIAL_IDS = list(range(len(SPECIALS)))


def build(backbone: Path, **asked: Any) -> SparseEncoder:
    return model.build(Model(**{"backbone": str(backbone), "token_weights": "ones", "max_length": 64} | asked)).eval()


def encode(encoder: SparseEncoder, texts: list[str] = TEXTS, task: str = "document") -> Tensor:
    """With gradients."""
    features = encoder.preprocess(texts, task=task) if isinstance(encoder[0], Router) else encoder.preprocess(texts)
    vectors: Tensor = encoder(features, task=task)["sentence_embedding"]
    return vectors


def weights(encoder: SparseEncoder, text: str, task: str = "document") -> dict[str, float]:
    """Active tokens of a text."""
    (vector,) = encode(encoder, [text], task).tolist()
    return {token: value for token, value in zip(TOKENS, vector, strict=True) if value}


def names(encoder: SparseEncoder) -> list[str]:
    return [type(module).__name__ for module in checkpoint.document_modules(encoder)]
