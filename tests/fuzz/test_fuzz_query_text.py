"""Any text is a query: its tokens have weights of the table, and a request can carry the clause."""

from __future__ import annotations

import json

import pytest
from fuzzing import fuzz
from hypothesis import strategies as st
from nasty import texts

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.query_encoder import MAX_CLAUSES, QueryEncoder
from opensearch_lsr.sparse_vector import Prune

MEGABYTE = 1_000_000
RULES = [None, *map(Prune.parse, ["max_ratio=0.4", "abs_value=1", "alpha_mass=0.5", "top_k=3"])]


@pytest.fixture(scope="module")
def encoder() -> QueryEncoder:
    return QueryEncoder.from_pretrained("default")


@pytest.fixture(scope="module")
def weights() -> dict[str, float]:
    return Bundle.open("default").weights


def check(encoder: QueryEncoder, weights: dict[str, float], text: str, rule: Prune | None) -> None:
    vector = encoder.encode(text)
    assert all(weight == weights[token] > 0 for token, weight in vector.items())
    assert encoder.encode_batch([text, "tap", text]) == [vector, encoder.encode("tap"), vector]
    clause = encoder.neural_sparse(text, "lsr_vector", rule)
    json.dumps(clause, ensure_ascii=False, allow_nan=False).encode()
    tokens = clause["neural_sparse"]["lsr_vector"]["query_tokens"] if vector and "neural_sparse" in clause else {}
    assert len(tokens) <= MAX_CLAUSES and tokens.items() <= vector.items()


@fuzz("query text", 2, text=st.lists(texts(200), min_size=1, max_size=4).map(" ".join), rule=st.sampled_from(RULES))
def test_any_text(encoder: QueryEncoder, weights: dict[str, float], text: str, rule: Prune | None) -> None:
    check(encoder, weights, text, rule)


@fuzz("query text (1 MB)", 0.02, part=texts(30).filter(len))
def test_a_megabyte_of_anything(encoder: QueryEncoder, weights: dict[str, float], part: str) -> None:
    times = MEGABYTE // len(part.encode("utf-8", "surrogatepass"))
    check(encoder, weights, part * times, None)
