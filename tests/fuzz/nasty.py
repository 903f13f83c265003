"""Values that break what was tried with good ones only: texts, numbers, JSON trees."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

TEXTS = [
    "",
    " ",
    "\x00",
    "\x00\x1f\x7f\x80\x9f",
    "\x1b[2J\x1b]0;title\x07",
    "\r\n",
    "a\u2028b\u2029c\x85d",
    "\ufeffmark",
    "\u202eright to left\u202c",
    "שלום עולם مرحبا بالعالم",
    "👩‍👩‍👧‍👦🏳️‍🌈👋🏿",
    "e" + "\u0301" * 300,
    "ﷺ" * 20,
    "日本語の検索と中文搜索",
    "ไม่มีช่องว่าง",
    "\U0010ffff\ufffe\uffff",
    "\ud800",
    "tail \udc00 \udfff",
    "[CLS] [SEP] [MASK] [unused1] ##s",
    "a" * 5000,
    "water " * 500,
    "NaN",
    "-1",
    "1e999",
    "9" * 5000,
    "null",
    "../../../etc/passwd",
    "~nobody-of-this-name/x",
    "$HOME/${UNSET}/%PATH%",
    "a**b",
    "*",
    "[a-",
    "%s %d {} {0.__class__}",
    "'\"`; --",
    "<script>alert(1)</script>",
    '{"match_all": {}}',
    "a.b..c.",
    "_id",
    "lsr_vector",
    "a" * 300 + "/" + "b" * 300,
    "x=y=z",
    "=",
    "--",
    "-h",
    "@file",
]

NUMBERS: list[Any] = [
    0,
    -1,
    1,
    2**31,
    2**53 + 1,
    2**63,
    2**64,
    10**400,
    -(10**400),
    -0.0,
    0.5,
    1e-320,
    1e308,
    float("nan"),
    float("inf"),
    float("-inf"),
    True,
]


def _text(index: int) -> str:
    return TEXTS[index]


def texts(max_size: int = 40) -> SearchStrategy[str]:
    """Any Unicode, lone surrogates and control characters included, and what the list above has."""
    listed = st.integers(0, len(TEXTS) - 1).map(_text)  # hypothesis would write the list itself in messages
    return st.one_of(
        listed,
        st.text(st.characters(exclude_categories=()), max_size=max_size),
        st.builds("{}{}{}".format, listed, st.text(max_size=5), listed),
    )


def scalars() -> SearchStrategy[Any]:
    return st.one_of(st.none(), st.sampled_from(NUMBERS), st.integers(), st.floats(), texts(20))


def values() -> SearchStrategy[Any]:
    """JSON trees."""
    return st.recursive(
        scalars(),
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts(8), inner, max_size=4)),
        max_leaves=8,
    )


def records(*keys: str) -> SearchStrategy[dict[str, Any]]:
    """Objects of these keys, any of them missing, with a good or a nasty value."""
    good = st.sampled_from(["water", "a kitchen tap", ["water", "fire"], 1, [1.0, 0.5]])
    kept = st.dictionaries(st.sampled_from(keys), st.one_of(good, good, values()), max_size=len(keys))
    return st.builds(lambda a, b: {**b, **a}, kept, st.dictionaries(texts(8), values(), max_size=1))


def as_json(value: Any, ascii_only: bool = False) -> bytes:
    """JSON with what the standard does not allow: NaN, half characters."""
    return json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")


def json_lines(*keys: str) -> SearchStrategy[bytes]:
    """JSON Lines of such records, blank lines and lines of rubbish between them."""
    line = st.one_of(
        st.builds(as_json, records(*keys), st.booleans()),
        st.builds(as_json, st.fixed_dictionaries(dict.fromkeys(keys, texts())), st.booleans()),
        st.builds(as_json, values()),
        st.binary(max_size=30),
        st.sampled_from([b"", b"  ", b"[" * 100_000, b'{"a":' * 50_000, b'{"_id": ' + b"9" * 5000 + b"}"]),
    )
    return st.builds(
        lambda mark, lines, end: mark + end.join(lines),
        st.sampled_from([b"", b"", b"", b"\xef\xbb\xbf", b"\xff\xfe"]),
        st.lists(line, max_size=6),
        st.sampled_from([b"\n", b"\n", b"\r\n", b"\r", b"\n\n"]),
    )
