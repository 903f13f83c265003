"""Settings of a recipe that contradict each other or lead nowhere, told before hours of teachers and training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from opensearch_lsr.errors import InputError
from opensearch_lsr.training.recipe import Recipe, Regularizer

SHARES = ("data.unmatched", "batches.random_share", "training.dropout", "adaptation.masked", "model.lora.dropout")
INNER_SHARES = ("regularizer.alpha", "model.lexical_prior.b")  # neither 0 nor 1
ABOVE_0 = ("scale", "regularizer.beta", "model.lexical_prior.k", "model.lexical_prior.average_length")
ONE_KIND = {"weighting": "idf_flops", "alpha": "df_flops", "beta": "df_flops"}  # of regulariser


def check(recipe: Recipe, source: str) -> None:
    """Check all that needs neither model nor data.

    Args:
        recipe: its values are of their types already.
        source: where it comes from, for messages.

    Raises:
        InputError: naming the settings and the remedy.
    """
    for part in (_ranges, _teachers, _objectives, _query_side, _document_side, _regularizer, _steps):
        for problem in part(recipe):
            raise InputError(f"{source}: {problem}")


def _ranges(recipe: Recipe) -> Iterator[str]:
    for name in SHARES:
        if (value := _setting(recipe, name)) is not None and not 0 <= value <= 1:
            yield f"{name} is {value}; it is a share, between 0 and 1"
    for name in INNER_SHARES:
        if (value := _setting(recipe, name)) is not None and not 0 < value < 1:
            yield f"{name} is {value}; it is a share, above 0 and below 1"
    for name in ABOVE_0:
        if (value := _setting(recipe, name)) is not None and not value > 0:
            yield f"{name} is {value}; it is above 0"


def _setting(recipe: Recipe, name: str) -> Any:
    """By its dotted name; None where a table on the way is not given."""
    found: Any = recipe
    for key in name.split("."):
        found = getattr(found, key, None)
    return found


def _teachers(recipe: Recipe) -> Iterator[str]:
    for place, teacher in enumerate(recipe.teachers):
        of_model = teacher.kind in ("dense", "sparse")
        if of_model and not teacher.model:
            yield f"teachers.{place}.model is missing; a {teacher.kind} teacher needs it"
        if not of_model and teacher.model:
            yield f"teachers.{place}.model is for dense and sparse teachers, not {teacher.kind}; leave it out"
        if not teacher.weight:
            yield f"teachers.{place}.weight is 0; leave the teacher out"


def _objectives(recipe: Recipe) -> Iterator[str]:
    if not recipe.objectives:
        yield "objectives is empty; name one, or leave it out for info_nce"
    for place, asked in enumerate(recipe.objectives):
        if asked.kind != "info_nce" and not recipe.teachers:
            yield f"objectives.{place}.kind is {asked.kind}, which learns from [[teachers]]; add one"
        if asked.kind == "margin_mse" and recipe.normalize == "min_max":
            yield "margin_mse matches the teacher's own margins; set normalize = none, and scale"
        if asked.margin is not None and asked.kind != "info_nce":
            yield f"objectives.{place}.margin is for info_nce, not {asked.kind}; leave it out"
        if asked.margin is not None and not recipe.teachers:
            yield f"objectives.{place}.margin compares scores of [[teachers]]; add one, or leave it out"


def _query_side(recipe: Recipe) -> Iterator[str]:
    model = recipe.model
    if model.query == "encoder":
        for name in ("token_weights", "learn_query_weights", "lexical_prior"):
            if getattr(model, name):
                yield f"model.{name} needs model.query = table; set that, or leave it out"
        if recipe.regularizer.kind == "idf_flops":
            yield "regularizer.kind = idf_flops needs a query table's weights; set model.query = table, or another kind"
    learned = model.query == "table" and model.learn_query_weights
    if recipe.training.query_learning_rate is not None and not learned:
        yield "training.query_learning_rate is of a learned table; set model.learn_query_weights, or leave it out"
    if recipe.regularizer.query_weight and model.query == "table" and not learned:
        yield "regularizer.query_weight cannot change a fixed table; set model.learn_query_weights, or leave it out"


def _document_side(recipe: Recipe) -> Iterator[str]:
    model, length = recipe.model, recipe.training.train_length
    if model.lora is not None and model.attention is None:
        yield "model.lora needs model.attention: adapters are for causal LMs"
    if length is not None and length > model.max_length:
        yield (
            f"training.train_length is {length}, but the model reads model.max_length = {model.max_length} tokens; "
            "lower the one or raise the other"
        )


def _regularizer(recipe: Recipe) -> Iterator[str]:
    for name, kind in ONE_KIND.items():
        if getattr(recipe.regularizer, name) != getattr(Regularizer, name) and recipe.regularizer.kind != kind:
            yield f"regularizer.{name} is for {kind}, not {recipe.regularizer.kind}; leave it out"


def _steps(recipe: Recipe) -> Iterator[str]:
    shape = recipe.batches
    if shape.documents == 1:
        alone = "leaves a query no document but its own; set batches.documents to 2 or more (with hard negatives)"
        if shape.candidates == "own":
            yield f"batches.candidates = own with batches.documents = 1 {alone}, or batches.candidates = batch"
        if shape.size == 1:
            yield f"batches.size = 1 with batches.documents = 1 {alone}, or batches.size to 2 or more"
    if recipe.training.evaluate_every and not recipe.evaluation:
        yield "training.evaluate_every without a dev split; add [[evaluation]], or leave it out"
