"""A recipe's text, as model cards and ``--dry-run`` show it, is a recipe file that says the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

from opensearch_lsr import settings_file
from opensearch_lsr.training import recipe_file
from opensearch_lsr.training.recipe import Batches, Data, Evaluation, Objective, Recipe, Regularizer, Teacher, Training
from opensearch_lsr.training.recipe_model import Adaptation, Lora, Model, Prior


def write(folder: Path, text: str) -> Path:
    file = folder / "recipe.toml"
    file.write_text(text, encoding="utf-8")
    return file


FULL = Recipe(
    "a name",
    Model(
        "backbone",
        token_weights="ones",
        learn_query_weights=True,
        logs=3,
        layers=2,
        max_length=99,
        lexical_prior=Prior(0.25, 1.5, 0.5, 60.0, 1.25, False),
        head="logits",
        attention="echo",
        lora=Lora(8, 8, 0.1, True),
    ),
    seed=5,
    scale=20.0,
    normalize="none",
    notes='Licence: apache-2.0\n\n"quoted" \\ ümläut {braces}',
    data=Data(("one.jsonl", "two.jsonl"), 10, "dev", ("org/a", "org/b:c"), ("corpus",), 3, 1000, 0.25),
    adaptation=Adaptation(10, 4, 50, 1e-5, 2e-4, 0.3, 200, 0.5),
    teachers=(Teacher("dense", "org/teacher", 0.6), Teacher("bm25", weight=0.4)),
    objectives=(Objective("kl", 0.5), Objective("info_nce", 1.0, 0.25)),
    regularizer=Regularizer("idf_flops", 1e-2, 1e-4, 150, "linear", 1000, 180.0, "contribution"),
    batches=Batches(16, 2, 3, "own", 0.25),
    training=Training(50, 1e-5, 1e-4, 1e-3, 5, 0.0, True, 7, 8, 9, 64, 0.0, True),
    evaluation=(Evaluation("corpus", "test", 500, 50), Evaluation("corpus", "dev")),
)
SIAMESE = Recipe(  # what cannot stand beside a table
    "a name", Model("org/backbone", "encoder"), regularizer=Regularizer("df_flops", alpha=0.2, beta=5.0)
)
PLACES: dict[type, Callable[[Recipe], Any]] = {
    Recipe: lambda recipe: recipe,
    Prior: lambda recipe: recipe.model.lexical_prior,
    Lora: lambda recipe: recipe.model.lora,
    **{kind: attrgetter(kind.__name__.lower()) for kind in (Model, Data, Adaptation, Regularizer, Batches, Training)},
}


@pytest.fixture
def full(tmp_path: Path) -> Recipe:
    """FULL with its files there, and absolute as ``read`` makes them."""
    for name in ("one.jsonl", "two.jsonl"):
        (tmp_path / name).touch()
    for name in ("backbone", "corpus"):
        (tmp_path / name).mkdir()
    return replace(
        FULL,
        model=replace(FULL.model, backbone=str(tmp_path / "backbone")),
        data=replace(
            FULL.data,
            train=(str(tmp_path / "one.jsonl"), str(tmp_path / "two.jsonl")),
            pseudo_queries=(str(tmp_path / "corpus"),),
        ),
        evaluation=tuple(replace(entry, folder=str(tmp_path / "corpus")) for entry in FULL.evaluation),
    )


def test_every_setting_is_changed() -> None:
    """Or the round trips below would not see a setting that is not written."""
    for kind, place in PLACES.items():
        both = [found for found in (place(FULL), place(SIAMESE)) if found is not None]
        for entry in fields(kind):
            assert any(getattr(found, entry.name) != entry.default for found in both), (kind, entry.name)


def test_text_is_read_again(tmp_path: Path, full: Recipe) -> None:
    text = settings_file.text(full)
    assert str(tmp_path) not in text  # a model card tells nothing about the machine
    assert recipe_file.read(write(tmp_path, text)) == full
    assert recipe_file.read(write(tmp_path, settings_file.text(SIAMESE))) == SIAMESE


def test_text_of_the_defaults_is_read_again(tmp_path: Path) -> None:
    least = Recipe("n", Model("org/backbone"))
    assert recipe_file.read(write(tmp_path, settings_file.text(least))) == least
    with_prior = replace(least, model=replace(least.model, lexical_prior=Prior()))
    assert recipe_file.read(write(tmp_path, settings_file.text(with_prior))) == with_prior
