"""A recipe's words turned into objects: teachers, objectives, regulariser, learning rates.

The words do not contradict each other: :mod:`opensearch_lsr.training.recipe_check` has read them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from opensearch_lsr.data.training_set import TrainingSet
from opensearch_lsr.errors import InputError, needs_extra
from opensearch_lsr.training import checkpoint
from opensearch_lsr.training.loss import LSRLoss
from opensearch_lsr.training.objectives.info_nce import InfoNCE
from opensearch_lsr.training.objectives.kl import KLDistillation
from opensearch_lsr.training.objectives.margin_mse import MarginMSE
from opensearch_lsr.training.recipe import Objective, Recipe, Teacher
from opensearch_lsr.training.regularizers.df_flops import DFFlops
from opensearch_lsr.training.regularizers.flops import Flops
from opensearch_lsr.training.regularizers.idf_flops import IDFFlops
from opensearch_lsr.training.regularizers.l0_mask import L0Mask
from opensearch_lsr.training.schedules import DimsController, Schedule
from opensearch_lsr.training.teachers.bm25 import BM25Teacher
from opensearch_lsr.training.teachers.dense import DenseTeacher
from opensearch_lsr.training.teachers.ensemble import Ensemble
from opensearch_lsr.training.teachers.precomputed import PrecomputedTeacher
from opensearch_lsr.training.teachers.sparse import SparseTeacher

with needs_extra("train", "training"):
    import numpy as np
    import torch
    from sentence_transformers import SparseEncoder

OnProgress = Callable[[str, int, int], None]
CONTROL_RATE, CONTROL_GAIN = 0.01, 2.0  # a step moves λ by at most 1 % of its distance in dims, squared for the moment


def teachers(
    recipe: Recipe, data: TrainingSet, cache: Path, on_progress: OnProgress
) -> tuple[Ensemble | None, np.ndarray | None]:
    """The ensemble, and the first dense teacher's vectors of the documents (for topical batches).

    Raises:
        InputError: when a teacher of scores finds none in the data.
    """
    found = [(_teacher(asked, recipe, data, cache, on_progress), asked.weight) for asked in recipe.teachers]
    dense = next((teacher.documents for teacher, _ in found if isinstance(teacher, DenseTeacher)), None)
    return (Ensemble(found, recipe.scale, recipe.normalize == "min_max") if found else None), dense


def _teacher(asked: Teacher, recipe: Recipe, data: TrainingSet, cache: Path, on_progress: OnProgress) -> Any:
    if asked.kind == "bm25":
        return BM25Teacher(data.queries, data.documents)
    if asked.kind == "scores":
        if all(row.scores is None for row in data.rows):
            raise InputError(
                f"recipe {recipe.name}: a teacher of kind scores, but the data has none; give query/docs/scores lines, "
                "or another teacher (teachers.0.kind=bm25)"
            )
        return PrecomputedTeacher(data.rows)
    assert asked.model is not None
    teacher = DenseTeacher if asked.kind == "dense" else SparseTeacher
    length = recipe.training.train_length or recipe.model.max_length  # a teacher reads what its student reads
    return teacher.prepare(asked.model, data.queries, data.documents, cache, max_length=length, on_progress=on_progress)


def loss(recipe: Recipe, encoder: SparseEncoder, teacher: Ensemble | None, data: TrainingSet) -> LSRLoss:
    """The loss of a recipe."""
    asked = recipe.regularizer
    known: defaultdict[int, set[int]] = defaultdict(set)
    for row in data.rows:
        known[row.query].add(row.documents[0])
    return LSRLoss(
        encoder,
        queries=recipe.batches.queries,
        objectives=[(term.weight, _objective(term)) for term in recipe.objectives],
        teacher=teacher,
        regularizer=_regularizer(recipe, encoder),
        weight=asked.weight,
        query_weight=asked.query_weight,
        schedule=Schedule(asked.schedule, asked.schedule_steps),
        controller=DimsController(asked.target_dims, CONTROL_RATE, CONTROL_GAIN) if asked.target_dims else None,
        candidates=recipe.batches.candidates,
        known=known,
    )


def learning_rates(recipe: Recipe, encoder: SparseEncoder) -> dict[str, float]:
    """Parameter name pattern → learning rate, for what does not learn at the backbone's."""
    head, query = recipe.training.head_learning_rate, recipe.training.query_learning_rate
    backbone = f".model.{checkpoint.document_modules(encoder)[0].auto_model.base_model_prefix}."
    table = checkpoint.query_table(encoder)
    rates: defaultdict[float, list[str]] = defaultdict(list)
    for name, parameter in encoder.named_parameters():
        of_table = table is not None and parameter is table.weight
        rate = (query or head) if of_table else head
        if rate is not None and parameter.requires_grad and backbone not in f".{name}":
            rates[rate].append(re.escape(name))
    return {f"^model\\.({'|'.join(names)})$": rate for rate, names in rates.items()}


def _objective(asked: Objective) -> Any:
    if asked.kind == "info_nce":
        return InfoNCE(margin=asked.margin)
    return KLDistillation() if asked.kind == "kl" else MarginMSE()


def _regularizer(recipe: Recipe, encoder: SparseEncoder) -> torch.nn.Module:
    asked = recipe.regularizer
    size = checkpoint.document_modules(encoder)[0].auto_model.config.vocab_size
    if asked.kind == "idf_flops":
        weights = checkpoint.query_table(encoder).weight.detach().clone()
        chosen: torch.nn.Module = IDFFlops(weights, asked.weighting)
    elif asked.kind == "df_flops":
        chosen = DFFlops(size, asked.alpha, asked.beta)
    else:
        chosen = Flops()
    return chosen if asked.threshold is None else L0Mask(chosen, asked.threshold)
