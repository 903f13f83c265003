"""Good files, damaged: bytes flipped, cut, repeated and put in; JSON trees with values replaced; broken gzip.

Hypothesis draws a number, and Python's generator what is done: a hundred times as fast as drawing each step.
"""

from __future__ import annotations

import copy
import gzip
from random import Random
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from nasty import NUMBERS, TEXTS

SEEDS = st.integers(0, 2**64)
PIECES = [
    b"\x00",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"\r\n",
    b"\n",
    b'"',
    b"\\ud800",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b"[" * 3000,
    b"null",
    b"NaN",
    b"-Infinity",
    b"-1",
    b"1e999",
    b"9" * 5000,
    b"true",
    b"\x00" * 8,
    b"\xff" * 8,
    b"\x80" * 12,
    b"\x7f\xff\xff\xff\xff\xff\xff\xff",
]


def damaged(original: bytes) -> SearchStrategy[bytes]:
    """One to four things done to a file."""
    return SEEDS.map(lambda seed: _damage(original, Random(seed)))


def spoiled(tree: Any) -> SearchStrategy[Any]:
    """A JSON tree in which one to three values are replaced, left out or added."""
    return SEEDS.map(lambda seed: _spoil(copy.deepcopy(tree), Random(seed)))


def packed(content: SearchStrategy[bytes]) -> SearchStrategy[bytes]:
    """As gzip, whole or damaged."""
    whole = content.map(lambda plain: gzip.compress(plain, 1, mtime=0))
    broken = st.builds(lambda archive, seed: _damage(archive, Random(seed)), whole, SEEDS)
    return st.one_of(whole, broken, content)


def _damage(content: bytes, random: Random) -> bytes:
    for _ in range(random.choice([1, 1, 1, 2, 4])):
        at = random.randrange(max(1, len(content)))
        length = random.choice([1, 1, 2, 8, 64, 4096])
        before, middle, after = content[:at], content[at : at + length], content[at + length :]
        kind = random.choice(["flip", "byte", "cut off", "leave out", "repeat", "insert", "replace"])
        if kind == "flip":
            middle = bytes([middle[0] ^ 1 << random.randrange(8)]) + middle[1:] if middle else b""
        elif kind == "byte":
            middle = random.randbytes(1) + middle[1:]
        elif kind == "cut off":
            middle = after = b""
        elif kind == "leave out":
            middle = b""
        elif kind == "repeat":
            middle *= 3
        elif kind == "insert":
            middle = random.choice(PIECES) + middle
        else:
            middle = random.choice(PIECES)
        content = before + middle + after
    return content


def _spoil(tree: Any, random: Random) -> Any:
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        place = tree
        while isinstance(place, dict | list) and place:
            key: Any = random.choice(list(place) if isinstance(place, dict) else range(len(place)))
            if isinstance(place[key], dict | list) and place[key] and random.randrange(4):
                place = place[key]
                continue
            _change(place, key, random)
            break
    return tree


def _change(place: Any, key: Any, random: Random) -> None:
    kind = random.choice(["another", "another", "another", "replace", "leave out", "add"])
    if kind == "another":
        place[key] = _another(place[key], random)
    elif kind == "replace":
        place[key] = _value(random)
    elif kind == "leave out":
        del place[key]
    elif isinstance(place, list):
        place.insert(key, _value(random))
    else:
        place[random.choice(TEXTS)] = _value(random)


def _another(value: Any, random: Random) -> Any:
    """A value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return random.choice([0, 1, -1, 7, value + 1, 100_001, 2**31, 2**32 - 1, 2**63])
    if isinstance(value, float):
        return random.choice([0.0, -value, value + 1, 1e-9, 1e308])
    return random.choice(TEXTS) if isinstance(value, str) else _value(random)


def _value(random: Random) -> Any:
    kind = random.randrange(8)
    if kind < 2:
        return random.choice(TEXTS)
    if kind < 5:
        return random.choice([*NUMBERS, random.randrange(-100, 1000), random.uniform(-5, 70)])
    return [None, [_value(random)], {random.choice(TEXTS): _value(random)}][kind - 5]
