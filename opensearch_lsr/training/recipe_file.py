"""Recipe files: TOML to :class:`Recipe`; keys, values, contradictions and paths are checked once, here."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from opensearch_lsr import settings_file
from opensearch_lsr.errors import InputError
from opensearch_lsr.given_path import given_path
from opensearch_lsr.training import recipe_check
from opensearch_lsr.training.recipe import Recipe

TABLES = ("msmarco", "ones")
COUNTS = frozenset(  # settings that are at least 1
    f"{table}.{name}"
    for table, names in {
        "batches": ("size", "queries", "documents"),
        "training": ("steps", "log_every", "checkpoint_every", "train_length"),
        "model": ("logs", "layers", "max_length"),
        "model.lora": ("rank", "alpha"),
        "adaptation": ("batch_size", "max_length", "active_dims"),
        "data": ("train_rows", "pseudo_per_document", "pseudo_documents"),
        "evaluation": ("documents", "queries"),
    }.items()
    for name in names
)
SHIPPED = Path(__file__).parent / "recipes"


def read(path: str | Path, settings: Sequence[str] = ()) -> Recipe:
    """Read a recipe.

    Args:
        path: a file, or the name of a shipped recipe (:func:`shipped`).
        settings: ``key=value`` each, the key dotted (``training.steps=20``), the value as in TOML (a bare word is a
            string); they replace what the file says.

    Returns:
        The recipe; its paths are absolute, ``~`` and ``$NAME`` in them expanded.

    Raises:
        InputError: naming the file and the key that is unknown, missing, of another type, or contradicts others.
    """
    file = given_path(path) if Path(path).suffix == ".toml" else SHIPPED / f"{path}.toml"
    try:
        recipe = settings_file.read(Recipe, file, settings, COUNTS)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such recipe; shipped are {', '.join(shipped())}") from error
    recipe_check.check(recipe, str(file))
    return _resolved(recipe, file)


def shipped() -> list[str]:
    """Names of the recipes that come with the package."""
    return sorted(file.stem for file in SHIPPED.glob("*.toml"))


def _matched(path: Path, file: Path) -> list[Path]:
    try:
        return sorted(path.parent.glob(path.name)) if "*" in path.name else [path] if path.exists() else []
    except ValueError as error:
        raise InputError(f"{file}: {path} is no pattern ({error})") from error


def _resolved(recipe: Recipe, file: Path) -> Recipe:
    """Paths made absolute: beside the recipe, else in the working directory; beside a shipped one lies nothing."""
    places = [Path.cwd()] if file.parent == SHIPPED else [file.parent.absolute(), Path.cwd()]

    def every(text: str) -> list[str]:
        """A path, or what its last part's pattern matches."""
        name = given_path(os.path.expandvars(text))
        for place in places:
            if found := [str(path) for path in _matched(place / name, file) if not path.name.startswith(".")]:
                return found
        raise InputError(f"{file}: {text} is not there (looked in {places[0] / name.parent})")

    def must(text: str) -> str:
        return every(text)[0]

    def may(text: str) -> str:
        """A path where there is one, else a Hub name."""
        try:
            return must(text)
        except InputError:
            return text

    asked = recipe.model
    table = asked.token_weights
    if table is not None and table not in TABLES:
        table = must(table)
    return replace(
        recipe,
        data=replace(
            recipe.data,
            train=tuple(found for text in recipe.data.train for found in every(text)),
            pseudo_queries=tuple(found for text in recipe.data.pseudo_queries for found in every(text)),
        ),
        model=replace(asked, backbone=may(asked.backbone), token_weights=table),
        teachers=tuple(
            replace(teacher, model=may(teacher.model)) if teacher.model else teacher for teacher in recipe.teachers
        ),
        evaluation=tuple(replace(entry, folder=must(entry.folder)) for entry in recipe.evaluation),
    )
