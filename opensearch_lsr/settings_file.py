"""Settings files: TOML to a tree of dataclasses and back, every key and value checked once, here."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from opensearch_lsr.errors import InputError

T = TypeVar("T")
_TOO_LARGE = 2**63  # TOML's integers end before


def read(kind: type[T], file: Path, settings: Sequence[str] = (), counts: Collection[str] = ()) -> T:
    """Read a file.

    Args:
        kind: a dataclass, whose fields are str, int, float, bool, Literal, dataclasses and tuples of these.
        file: TOML.
        settings: ``key=value`` each, the key dotted (``training.steps=20``), the value as in TOML (a bare word is a
            string); they replace what the file says.
        counts: dotted names of numbers that are at least 1; others are at least 0.

    Raises:
        FileNotFoundError: when there is no such file.
        InputError: naming the file and the key that is unknown, missing or of another type.
    """
    table = load(file)
    for setting in settings:
        assign(table, setting)
    return parse(kind, table, str(file), counts)


def load(file: Path) -> dict[str, Any]:
    """A file's table, unchecked; raises as :func:`read` does."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file}: not TOML ({error})") from error
    except FileNotFoundError:
        raise
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror})") from error


def parse(kind: type[T], table: Mapping[str, Any], source: str, counts: Collection[str] = (), where: str = "") -> T:
    """A dataclass from a table.

    Args:
        kind: see :func:`read`.
        table: as ``tomllib`` reads it.
        source: where it comes from, for messages.
        counts: see :func:`read`.
        where: the table's own dotted name, with a dot at its end.

    Raises:
        InputError: see :func:`read`.
    """
    hints = get_type_hints(kind)
    known = {entry.name: entry for entry in fields(kind)}  # type: ignore[arg-type]
    for key in table:
        if key not in known:
            raise InputError(f"{source}: unknown key {where}{key}; known here are {', '.join(known)}")
    values = {key: _value(hints[key], value, source, counts, f"{where}{key}") for key, value in table.items()}
    for name, entry in known.items():
        if name not in values and entry.default is MISSING and entry.default_factory is MISSING:
            raise InputError(f"{source}: {where}{name} is missing")
    return kind(**values)


def assign(table: dict[str, Any], setting: str) -> None:
    """Put ``key=value`` into a table, see :func:`read`.

    Raises:
        InputError: when it is no such text, or there is no such place.
    """
    key, equals, text = setting.partition("=")
    if not equals or any("\ud800" <= character <= "\udfff" for character in text):  # bytes that are no UTF-8
        raise InputError(f"--set {setting}: not KEY=VALUE in UTF-8, as in training.steps=20")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        value = text
    put(table, key.strip(), value, f"--set {setting}")


def put(table: dict[str, Any], key: str, value: Any, source: str) -> None:
    """Put a value where a dotted key says; ``source`` is for messages.

    Raises:
        InputError: when there is no such place.
    """
    *outer, last = key.split(".")
    place: Any = table
    try:
        for name in outer:
            place = place[int(name)] if isinstance(place, list) else place.setdefault(name, {})
        place[int(last) if isinstance(place, list) else last] = value
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise InputError(
            f"{source}: there is no such place; an entry of a list is a number, as in teachers.0.model=…"
        ) from error


def _value(hint: Any, value: Any, source: str, counts: Collection[str], where: str) -> Any:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        hint = next(option for option in get_args(hint) if option is not type(None))
        origin = get_origin(hint)
    if is_dataclass(hint):
        if not isinstance(value, dict):
            raise InputError(f"{source}: {where} is {_shown(value)}; it is a table, [{where}]")
        return parse(hint, value, source, counts, f"{where}.")  # type: ignore[arg-type]
    if origin is tuple:
        if not isinstance(value, list):
            raise InputError(f"{source}: {where} is {_shown(value)}; it is a list")
        return tuple(_value(get_args(hint)[0], item, source, counts, where) for item in value)
    if origin is Literal:
        if value not in get_args(hint):
            known = ", ".join(map(str, get_args(hint)))
            raise InputError(f"{source}: {where} is {_shown(value)}; it is one of {known}")
        return value
    return _scalar(hint, value, source, counts, where)


def _scalar(hint: Any, value: Any, source: str, counts: Collection[str], where: str) -> Any:
    kinds = (int, float) if hint is float else hint
    if not isinstance(value, kinds) or (hint is not bool and isinstance(value, bool)):
        raise InputError(f"{source}: {where} is {_shown(value)}; it is of type {hint.__name__}")
    if hint in (int, float):
        least = 1 if where in counts else 0
        if not least <= value < _TOO_LARGE:
            raise InputError(f"{source}: {where} is {_shown(value)}; it is at least {least}, and below 2^63")
    return hint(value)


def _shown(value: Any) -> str:
    """A value as messages have it."""
    try:
        return f"{value!r:.100}"
    except ValueError:  # Python does not write numbers of thousands of digits
        return "a number of thousands of digits"


def text(settings: Any, whole_paths: bool = False) -> str:
    """A dataclass as TOML: every setting; paths whole, or by their names only, as in a model card."""
    return "\n".join(_lines(settings, "", whole_paths)).strip() + "\n"


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
        return json.dumps(shown, ensure_ascii=False).replace("\x7f", "\\u007f")  # which TOML does not take as it is
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(item, whole) for item in value)}]"
    return str(value).lower() if isinstance(value, bool) else repr(value)
