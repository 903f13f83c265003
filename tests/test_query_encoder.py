"""Queries by lookup."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensearch_lsr import QueryEncoder
from opensearch_lsr.bundle import Bundle
from opensearch_lsr.errors import BundleError
from opensearch_lsr.query_encoder import MAX_CLAUSES
from opensearch_lsr.sparse_vector import Prune


@pytest.fixture(scope="module")
def encoder() -> QueryEncoder:
    return QueryEncoder.from_pretrained("default")


def test_each_distinct_token_once_with_its_weight(encoder: QueryEncoder) -> None:
    weights = Bundle.open("default").weights
    assert encoder.encode("Brakes, brakes and NOISE") == {t: weights[t] for t in ["brakes", ",", "and", "noise"]}


def test_words_are_split_into_pieces(encoder: QueryEncoder) -> None:
    assert set(encoder.encode("squeaky")) == {"sq", "##ue", "##aky"} or "squeak" in encoder.encode("squeaky")


@pytest.mark.parametrize("text", ["", "   ", "[CLS] [SEP] [PAD]", "[MASK]", "\u2603\ufe0f" * 2 + "[UNK]"])
def test_special_tokens_weigh_nothing(encoder: QueryEncoder, text: str) -> None:
    assert not {"[CLS]", "[SEP]", "[PAD]", "[MASK]", "[UNK]"} & set(encoder.encode(text))


def test_a_text_without_known_tokens_matches_nothing(encoder: QueryEncoder) -> None:
    assert encoder.neural_sparse("", "lsr_vector") == {"match_none": {}}


def test_the_clause(encoder: QueryEncoder) -> None:
    clause = encoder.neural_sparse("brake noise", "lsr_vector")
    assert clause == {"neural_sparse": {"lsr_vector": {"query_tokens": encoder.encode("brake noise")}}}
    pruned = encoder.neural_sparse("the brake noise", "lsr_vector", Prune.parse("top_k=1"))
    assert len(pruned["neural_sparse"]["lsr_vector"]["query_tokens"]) == 1


def test_a_very_long_query_is_never_cut_but_keeps_to_the_clause_limit(encoder: QueryEncoder) -> None:
    words = [
        token for token in Bundle.open("default").weights if token.isascii() and token.isalpha() and len(token) > 3
    ]
    text = " ".join(words[:3000])
    assert len(encoder.encode(text)) > 2000
    tokens = encoder.neural_sparse(text, "f")["neural_sparse"]["f"]["query_tokens"]
    assert len(tokens) == MAX_CLAUSES
    assert min(tokens.values()) >= sorted(encoder.encode(text).values())[-MAX_CLAUSES]


def test_a_megabyte_of_text(encoder: QueryEncoder) -> None:
    assert encoder.encode("brake noise " * 90_000) == encoder.encode("brake noise")


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(), max_size=200))
def test_any_unicode_is_encoded(encoder: QueryEncoder, text: str) -> None:
    vector = encoder.encode(text)
    assert all(weight > 0 for weight in vector.values())
    assert encoder.encode_batch([text, text]) == [vector, vector]


def test_lone_surrogates(encoder: QueryEncoder) -> None:
    text = "noise \ud800 brake"
    assert {"noise", "brake"} <= encoder.encode(text).keys()
    assert encoder.encode_batch(["tap", text]) == [encoder.encode("tap"), encoder.encode(text)]


def test_a_batch_of_any_length_in_its_order(encoder: QueryEncoder) -> None:
    texts = [f"brake {word} {number}" for number in range(700) for word in ("noise", "", "squeak")]
    assert encoder.encode_batch(iter(texts)) == [encoder.encode(text) for text in texts]
    assert encoder.encode_batch([]) == []


def test_shared_by_threads(encoder: QueryEncoder) -> None:
    texts = [f"why do brakes squeak {number}" for number in range(2000)]
    alone = [encoder.encode(text) for text in texts]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(encoder.encode, texts)) == alone


def test_a_bi_encoder_has_no_lookup(exported: object) -> None:
    bundle = exported("siamese")  # type: ignore[operator]
    with pytest.raises(BundleError, match="bi-encoder"):
        QueryEncoder.from_pretrained(str(bundle.path))
