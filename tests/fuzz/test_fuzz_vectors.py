"""Vectors as JSON Lines, pruning rules, and the digits that are kept of weights."""

from __future__ import annotations

import io
import math

from damage import damaged
from fuzzing import answer, fuzz
from hypothesis import strategies as st
from nasty import json_lines, texts

from opensearch_lsr.rank_feature import kept, short
from opensearch_lsr.sparse_vector import Prune, read_jsonl, write_jsonl

VECTORS = b"".join(b'{"id": "%d", "vector": {"tap": %d.5, "water": 0.25}}\n' % (i, i) for i in range(9))
ratios = st.one_of(st.floats(0, 1), st.integers(0, 50), st.floats())
weights = st.floats(min_value=0, exclude_min=True, allow_infinity=False, width=32)


@fuzz("vectors (JSON Lines)", content=st.one_of(json_lines("id", "vector"), damaged(VECTORS)))
def test_lines_of_vectors(content: bytes) -> None:
    lines = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8")
    found = answer(lambda: list(read_jsonl(lines)), "vectors:")
    if found is not None:
        assert all(math.isfinite(weight) for _, vector in found for weight in vector.values())
        again = io.StringIO()
        write_jsonl(again, found)
        again.seek(0)
        assert list(read_jsonl(again)) == found


@fuzz(
    "pruning rules",
    rule=st.one_of(
        texts(20),
        st.builds("{}={}".format, st.sampled_from(["max_ratio", "abs_value", "alpha_mass", "top_k"]), ratios),
        st.builds("{}={}".format, st.sampled_from(["max_ratio", "top_k"]), texts(8)),
    ),
    vector=st.dictionaries(texts(5), weights, max_size=8),
)
def test_a_rule_is_refused_or_prunes(rule: str, vector: dict[str, float]) -> None:
    prune = answer(lambda: Prune.parse(rule), "prune rule")
    if prune is not None:
        assert prune(vector).items() <= vector.items()
        prune.processor()


@fuzz("rank features", 0.5, vector=st.dictionaries(texts(5), weights, max_size=8))
def test_short_weights_are_the_same_feature(vector: dict[str, float]) -> None:
    for token, weight in short(vector).items():
        assert weight == vector[token] or kept(weight) == kept(vector[token])
