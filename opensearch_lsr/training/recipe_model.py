"""The model's part of a recipe: what is trained, and how a backbone is made ready for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Prior:
    """The lexical prior's start values: β, k and b of BM25's saturated term frequency.

    Attributes:
        beta: weight of a saturated term. On short documents, training with 0.5 lost against training without a prior,
            and 0.2 did not show a loss (benchmarks/ablations); the default encoder was trained with 0.2 and raised to
            0.5 afterwards, by its dev splits.
        k: where term frequency saturates.
        b: how much length counts.
        average_length: in tokens.
        drop_below: tokens that weigh less in the table get no prior (stop words).
        learned: train β (one a token), k and b.
    """

    beta: float = 0.5
    k: float = 1.2
    b: float = 0.75
    average_length: float = 120.0
    drop_below: float = 0.0
    learned: bool = True


@dataclass(frozen=True)
class Lora:
    """Low-rank adapters (arXiv 2106.09685), trained in place of a causal LM's weights and added to them at the end.

    Attributes:
        rank: of the adapters.
        alpha: they count alpha / rank.
        dropout: before them.
        bfloat16: hold the frozen weights so, in half the memory.
    """

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    bfloat16: bool = False


@dataclass(frozen=True)
class Model:
    """What is trained.

    Attributes:
        backbone: folder or Hub name: a SparseEncoder to go on with, a masked LM, a transformer without such a head, or
            (with ``attention``) a causal LM.
        query: ``table`` (inference-free) or ``encoder`` (Siamese).
        token_weights: an ``idf.json``, ``msmarco`` (the table of the default encoder) or ``ones``; default: the
            backbone's own table, or ``msmarco`` where it has none.
        learn_query_weights: train the table, too (Li-LSR, arXiv 2505.01452).
        logs: logarithms of the activation: 1 is SPLADE's, 2 the ℓ0 approximation (arXiv 2504.14839); default: the
            backbone's own, or 2 where it has none.
        layers: keep only the first layers of the backbone.
        max_length: tokens of a document that are read.
        lexical_prior: where given, added in the document encoder; one that the backbone has is gone on with.
        head: ``argmax`` (fast) or ``logits`` (sentence-transformers' own).
        attention: of a causal LM: ``echo`` reads a text twice, ``bidirectional`` drops the causal mask, ``causal`` does
            neither (CSPLADE, arXiv 2504.10816).
        lora: where given, a causal LM's adapters are trained in place of its weights.
    """

    backbone: str
    query: Literal["table", "encoder"] = "table"
    token_weights: str | None = None
    learn_query_weights: bool = False
    logs: int | None = None
    layers: int | None = None
    max_length: int = 256
    lexical_prior: Prior | None = None
    head: Literal["argmax", "logits"] = "argmax"
    attention: Literal["causal", "echo", "bidirectional"] | None = None
    lora: Lora | None = None


@dataclass(frozen=True)
class Adaptation:
    """A short language-modelling phase, for a backbone without a masked-LM head and for a causal LM.

    Attributes:
        steps: default: 400 where the head is new, else none.
        batch_size: documents a step.
        max_length: in tokens.
        learning_rate: of the backbone.
        head_learning_rate: of the head.
        masked: share of the positions that are predicted; with ``causal`` and ``echo`` attention all are, none hidden.
        active_dims: entries of a document that fire afterwards.
        saturated: weight of the same loss on ``log(1 + relu(logits))`` beside it (CSPLADE's second term): a language
            model's logits lie where they like, an encoder needs those of the right tokens above 0.
    """

    steps: int | None = None
    batch_size: int = 32
    max_length: int = 96
    learning_rate: float = 1e-4
    head_learning_rate: float = 1e-3
    masked: float = 0.2
    active_dims: int = 350
    saturated: float = 0.0
