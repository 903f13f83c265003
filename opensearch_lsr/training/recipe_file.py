"""Recipe files: TOML to :class:`Recipe`, every key and value checked once, here."""

from __future__ import annotations

import json
import math
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass, replace
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from opensearch_lsr.errors import InputError
from opensearch_lsr.training.recipe import Recipe

TABLES = ("msmarco", "ones")
COUNTS = frozenset(  # settings that are at least 1
    f"{table}.{name}"
    for table, names in {
        "batches": ("size", "queries", "documents"),
        "training": ("steps", "log_every", "checkpoint_every", "train_length"),
        "model": ("logs", "layers", "max_length"),
        "adaptation": ("batch_size", "max_length", "active_dims"),
        "data": ("train_rows", "pseudo_per_document", "pseudo_documents"),
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
        InputError: naming the file and the key that is unknown, missing or of another type.
    """
    file = Path(path) if Path(path).suffix == ".toml" else SHIPPED / f"{path}.toml"
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such recipe; shipped are {', '.join(shipped())}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: not TOML ({error})") from error
    for setting in settings:
        _set(table, setting)
    recipe: Recipe = _parse(Recipe, table, str(file), "")
    return _resolved(recipe, file)


def shipped() -> list[str]:
    """Names of the recipes that come with the package."""
    return sorted(file.stem for file in SHIPPED.glob("*.toml"))


def _set(table: dict[str, Any], setting: str) -> None:
    key, equals, text = setting.partition("=")
    if not equals:
        raise InputError(f"--set {setting}: not KEY=VALUE, as in training.steps=20")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *outer, last = key.strip().split(".")
    place: Any = table
    try:
        for name in outer:
            place = place[int(name)] if isinstance(place, list) else place.setdefault(name, {})
        place[int(last) if isinstance(place, list) else last] = value
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise InputError(
            f"--set {setting}: the recipe has no such place; an entry of a list is a number, as in teachers.0.model=…"
        ) from error


def _parse(kind: Any, table: Mapping[str, Any], file: str, where: str) -> Any:
    """A dataclass from a TOML table; ``where`` is its dotted name, for messages."""
    hints = get_type_hints(kind)
    known = {entry.name: entry for entry in fields(kind)}
    for key in table:
        if key not in known:
            raise InputError(f"{file}: unknown key {where}{key}; known here are {', '.join(known)}")
    values = {key: _value(hints[key], value, file, f"{where}{key}") for key, value in table.items()}
    for name, entry in known.items():
        if name not in values and entry.default is MISSING and entry.default_factory is MISSING:
            raise InputError(f"{file}: {where}{name} is missing")
    return kind(**values)


def _value(hint: Any, value: Any, file: str, where: str) -> Any:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        hint = next(option for option in get_args(hint) if option is not type(None))
        origin = get_origin(hint)
    if is_dataclass(hint):
        if not isinstance(value, dict):
            raise InputError(f"{file}: {where} is {value!r}; it is a table, [{where}]")
        return _parse(hint, value, file, f"{where}.")
    if origin is tuple:
        if not isinstance(value, list):
            raise InputError(f"{file}: {where} is {value!r}; it is a list")
        return tuple(_value(get_args(hint)[0], item, file, where) for item in value)
    if origin is Literal:
        if value not in get_args(hint):
            raise InputError(f"{file}: {where} is {value!r}; it is one of {', '.join(map(str, get_args(hint)))}")
        return value
    return _scalar(hint, value, file, where)


def _scalar(hint: Any, value: Any, file: str, where: str) -> Any:
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint is not bool and isinstance(value, bool)):
        raise InputError(f"{file}: {where} is {value!r}; it is of type {hint.__name__}")
    if hint in (int, float):
        least = 1 if where in COUNTS else 0
        if not (math.isfinite(value) and value >= least):
            raise InputError(f"{file}: {where} is {value}; it is at least {least}")
    return value


def _resolved(recipe: Recipe, file: Path) -> Recipe:
    """Paths made absolute: beside the recipe, else in the working directory; beside a shipped one lies nothing."""
    if not recipe.objectives:
        raise InputError(f"{file}: objectives is empty; name one, or leave it out for info_nce")
    places = [Path.cwd()] if file.parent == SHIPPED else [file.parent.absolute(), Path.cwd()]

    def every(text: str) -> list[str]:
        """A path, or what its last part's pattern matches."""
        name = Path(os.path.expandvars(text)).expanduser()
        for place in places:
            matched = sorted((place / name).parent.glob(name.name)) if "*" in name.name else [place / name]
            if found := [str(path) for path in matched if path.exists() and not path.name.startswith(".")]:
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


def text(recipe: Recipe, whole_paths: bool = False) -> str:
    """A recipe as TOML: every setting; paths whole, or by their names only, as in a model card."""
    return "\n".join(_lines(recipe, "", whole_paths)).strip() + "\n"


def _lines(table: Any, where: str, whole: bool) -> list[str]:
    given = {entry.name: getattr(table, entry.name) for entry in fields(table)}
    tables = {name: value for name, value in given.items() if is_dataclass(value)}
    lists = {name: value for name, value in given.items() if isinstance(value, tuple) and any(map(is_dataclass, value))}
    plain = {name: value for name, value in given.items() if name not in tables | lists and value not in (None, ())}
    lines = [f"{name} = {_toml(value, whole)}" for name, value in plain.items()]
    for name, value in tables.items():
        lines += ["", f"[{where}{name}]", *_lines(value, f"{where}{name}.", whole)]
    for name, values in lists.items():
        for value in values:
            lines += ["", f"[[{where}{name}]]", *_lines(value, f"{where}{name}.", whole)]
    return lines


def _toml(value: Any, whole: bool) -> str:
    if isinstance(value, str):
        shown = Path(value).name if Path(value).is_absolute() and not whole else value
        return json.dumps(shown, ensure_ascii=False)
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(item, whole) for item in value)}]"
    return str(value).lower() if isinstance(value, bool) else repr(value)
