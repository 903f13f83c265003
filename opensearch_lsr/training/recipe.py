"""What a training run consists of; a recipe file (TOML) has the same tables and keys."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from opensearch_lsr.training.recipe_model import Adaptation, Model


@dataclass(frozen=True)
class Data:
    """Texts to learn from; paths are relative to the recipe, and may be patterns (``corpora/*``).

    Attributes:
        train: files or folders of examples: query/pos/negs or query/docs/scores JSON Lines, BEIR folders.
        train_rows: at most so many rows of each, drawn with the seed.
        split: the judgments read from BEIR folders, and the split of data sets of the Hub. Documents that only other
            splits of a folder judge get no pseudo-queries.
        hub: names of `datasets` on the Hub with the columns query, positive and, if any, negative, negative_1 ….
        pseudo_queries: corpora (BEIR folder or JSON Lines) whose titles, headings and sentences become queries.
        pseudo_per_document: at most so many of them a document.
        pseudo_documents: at most so many documents of each corpus, drawn with the seed.
        unmatched: share of the queries that are asked a second time, without the words their document has; rows with
            scores are not.
    """

    train: tuple[str, ...] = ()
    train_rows: int | None = None
    split: str = "train"
    hub: tuple[str, ...] = ()
    pseudo_queries: tuple[str, ...] = ()
    pseudo_per_document: int = 6
    pseudo_documents: int | None = None
    unmatched: float = 0.0


@dataclass(frozen=True)
class Teacher:
    """One teacher of the ensemble.

    Attributes:
        kind: ``dense``, ``sparse``, ``bm25`` or ``scores`` (those in the data).
        model: folder or Hub name, for dense and sparse ones.
        weight: in the average.
    """

    kind: Literal["dense", "sparse", "bm25", "scores"]
    model: str | None = None
    weight: float = 1.0


@dataclass(frozen=True)
class Objective:
    """One term of the ranking loss.

    Attributes:
        kind: ``kl``, ``margin_mse`` or ``info_nce``.
        weight: in the sum.
        margin: ``info_nce`` only: leave out candidates that the teacher scores above the positive less this.
    """

    kind: Literal["kl", "margin_mse", "info_nce"]
    weight: float = 1.0
    margin: float | None = None


@dataclass(frozen=True)
class Regularizer:
    """What keeps vectors sparse.

    Attributes:
        kind: ``flops``, ``idf_flops`` or ``df_flops``.
        weight: λ on documents.
        query_weight: λ on queries (Siamese, or a learned table).
        threshold: only documents with more active tokens count (the ℓ0 mask).
        schedule: how λ gets there, over ``schedule_steps``.
        target_dims: steer λ so that documents have so many active tokens on average.
        weighting: ``idf_flops`` only: ``inverse`` presses on frequent tokens harder, ``contribution`` is FLOPS of what
            a token adds to scores.
        alpha: ``df_flops`` only: the document frequency at which a token's penalty is half.
        beta: ``df_flops`` only: how steep it is there.
    """

    kind: Literal["flops", "idf_flops", "df_flops"] = "flops"
    weight: float = 1e-3
    query_weight: float = 0.0
    threshold: int | None = None
    schedule: Literal["constant", "linear", "quadratic", "cosine"] = "quadratic"
    schedule_steps: int = 1
    target_dims: float | None = None
    weighting: Literal["inverse", "contribution"] = "inverse"
    alpha: float = 0.1
    beta: float = 10.0


@dataclass(frozen=True)
class Batches:
    """What a step sees.

    Attributes:
        size: documents' examples a step.
        queries: queries drawn for each example (a table's queries cost nothing).
        documents: documents of each example: the positive and so many hard negatives less one.
        candidates: ``batch``: each query against all of the batch's documents; ``own``: against its example's.
        random_share: share of batches of unrelated documents; the others are topical, so that negatives are hard.
    """

    size: int = 32
    queries: int = 1
    documents: int = 1
    candidates: Literal["batch", "own"] = "batch"
    random_share: float = 1.0


@dataclass(frozen=True)
class Training:
    """The optimiser's part.

    Attributes:
        steps: optimiser steps.
        learning_rate: of the backbone.
        head_learning_rate: of the masked-LM head and the prior; default: the backbone's.
        query_learning_rate: of a learned query table; default: the head's.
        warmup: steps of linear warm-up; then linear decay to 0.
        weight_decay: AdamW's.
        bf16: bfloat16 autocast.
        checkpoint_every: steps between checkpoints to resume from.
        evaluate_every: steps between evaluations on the dev splits; 0: only at the end.
        log_every: steps between lines of the log.
        train_length: cut documents to so many tokens in training; default: the model's.
        dropout: of the backbone while training; default: its own.
        gradient_checkpointing: compute activations a second time in place of keeping them; also in the adaptation.
    """

    steps: int = 1000
    learning_rate: float = 2e-5
    head_learning_rate: float | None = None
    query_learning_rate: float | None = None
    warmup: int = 0
    weight_decay: float = 0.01
    bf16: bool = False
    checkpoint_every: int = 500
    evaluate_every: int = 0
    log_every: int = 20
    train_length: int | None = None
    dropout: float | None = None
    gradient_checkpointing: bool = False


@dataclass(frozen=True)
class Evaluation:
    """A dev split to look at while training: a BEIR folder, at most so many documents (judged ones first)."""

    folder: str
    split: str = "dev"
    documents: int = 1000
    queries: int = 300


@dataclass(frozen=True)
class Recipe:
    """A whole run.

    Attributes:
        name: of the encoder.
        model: what is trained.
        seed: of everything that is drawn.
        scale: factor on the ensemble's scores (30 in OpenSearch's public recipe).
        normalize: ``min_max``: each teacher's scores to 0 … 1 for each query; ``none``: as they are, for one teacher,
            or for margins (``margin_mse``).
        notes: for the model card: what the backbone was trained on, licences of the data.
    """

    name: str
    model: Model
    seed: int = 1
    scale: float = 30.0
    normalize: Literal["min_max", "none"] = "min_max"
    notes: str = ""
    data: Data = field(default_factory=Data)
    adaptation: Adaptation = field(default_factory=Adaptation)
    teachers: tuple[Teacher, ...] = ()
    objectives: tuple[Objective, ...] = (Objective("info_nce"),)
    regularizer: Regularizer = field(default_factory=Regularizer)
    batches: Batches = field(default_factory=Batches)
    training: Training = field(default_factory=Training)
    evaluation: tuple[Evaluation, ...] = ()
