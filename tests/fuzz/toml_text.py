"""TOML that knows the names of settings, and gives them any value."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_type_hints

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from nasty import texts

VALUES = [
    "1",
    "0",
    "-1",
    "0.5",
    "-0.5",
    "1e999",
    "inf",
    "-nan",
    "9" * 30,
    "9" * 5000,
    "0x" + "f" * 5000,
    "true",
    "''",
    '"\\u0000"',
    '"\\u007f\\t\\n"',
    "'a**b'",
    "'~nobody-of-this-name/x'",
    "'${UNSET}'",
    "'" + "long" * 200 + "'",
    '"table"',
    '"dense"',
    "[]",
    "[1, 'a']",
    "['.']",
    "['default']",
    "[1, 2, 3]",
    "[3, 1]",
    "[[1]]",
    "[{}]",
    "{}",
    "{a = 1}",
    "{kind = 'kl'}",
    "1979-05-27T07:32:00Z",
    "07:32:00",
    "[" * 3000,
    "[" * 90 + "]" * 90,
    "",
]


def names(kind: Any) -> tuple[list[str], list[str]]:
    """A dataclass' keys, those of the tables in it included; and the tables' dotted names."""
    keys, tables = [], []
    hints = get_type_hints(kind)
    for field in fields(kind):
        keys.append(field.name)
        hint = hints[field.name]
        for inner in [hint, *get_args(hint)]:
            if is_dataclass(inner):
                more, deeper = names(inner)
                keys += more
                tables += [field.name, *(f"{field.name}.{name}" for name in deeper)]
    return sorted(set(keys)), sorted(set(tables))


def values() -> SearchStrategy[str]:
    quoted = texts(20).map(lambda text: "'''" + text.encode("utf-8", "replace").decode() + "'''")
    return st.one_of(st.sampled_from(VALUES), st.integers().map(str), st.floats().map(repr), quoted)


def files(kind: Any) -> SearchStrategy[bytes]:
    keys, tables = names(kind)
    line = st.one_of(
        st.builds("{} = {}".format, st.sampled_from(keys), values()),
        st.sampled_from([f"[{name}]" for name in tables] + [f"[[{name}]]" for name in tables]),
    )
    return st.lists(line, max_size=3).map(lambda lines: "\n".join(lines).encode())


def settings_of(kind: Any) -> SearchStrategy[str]:
    """``key=value`` as ``--set`` takes it."""
    keys, tables = names(kind)
    key = st.one_of(
        st.sampled_from(keys),
        st.builds("{}.{}".format, st.sampled_from(tables), st.sampled_from([*keys, "0", "-1", "7", "x"])),
        texts(10),
    )
    return st.one_of(st.builds("{}={}".format, key, st.one_of(values(), texts(10))), texts(10))
