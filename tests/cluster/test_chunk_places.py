"""Where a text is cut into chunks: nothing is lost, every chunk fits, and the cluster cuts at the same places."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opensearchpy import OpenSearch

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster import chunks, templates

# blanks that Java knows and does not, syllables that decompose, characters beyond 16 bits, controls, marks
LETTERS = "ab cdé.中문한가각 \u3000\u2028\u00a0\u2007\u200b\U0001f642\U0001d11e\U00010348\n\t\x00\x1d\x85e\u0301"
TEXTS = st.one_of(st.text(LETTERS, max_size=300), st.text(max_size=300))


def without_blanks(text: str) -> str:
    return "".join(letter for letter in text if letter not in chunks._BLANK)


@given(TEXTS, st.integers(chunks.SHORTEST, 60))
def test_nothing_but_white_space_is_lost(text: str, size: int) -> None:
    found = chunks.split(text, size)
    assert without_blanks("".join(found)) == without_blanks(text)
    assert all(0 < len(chunk.encode()) <= size and chunk[0] not in chunks._BLANK for chunk in found)
    assert all(2 * len(chunk.encode()) >= size - 3 for chunk in found[:-1])


def test_words_are_whole_unless_they_are_longer_than_half_a_chunk() -> None:
    words = [f"word{i}" for i in range(200)]
    assert " ".join(words).split() == [word for chunk in chunks.split(" ".join(words), 50) for word in chunk.split()]
    assert chunks.split(f"short {'x' * 70} end", 40) == [f"short {'x' * 34}", "x" * 36 + " end"]
    assert chunks.split(" \u2003\n", 40) == chunks.split("", 40) == []


@given(TEXTS)
def test_a_chunk_is_never_longer_than_the_encoder_reads(text: str) -> None:
    """By the default encoder's tokenizer, which takes Korean syllables apart."""
    found = chunks.split(text * 20, chunks.longest(DEFAULT))
    assert all(len(TOKENIZER.encode(chunk).ids) <= DEFAULT.config.max_length for chunk in found)


DEFAULT = Bundle.open("default")
TOKENIZER = DEFAULT.tokenizer
TOKENIZER.no_truncation()


@pytest.mark.cluster
@pytest.mark.parametrize("version", ["client", pytest.param("client_2_19", marks=pytest.mark.slow)])
def test_the_cluster_cuts_at_the_same_places(request: pytest.FixtureRequest, version: str) -> None:
    client: OpenSearch = request.getfixturevalue(version)
    chance = random.Random(0)
    texts = ["".join(chance.choices(LETTERS, k=chance.randrange(1, 200))) for _ in range(300)]
    texts += [chr(code) * 9 + " end" for code in range(0x3000) if chr(code).isspace()]  # also those Java does not know
    texts += ["x" * 200, "가" * 50, "\U0001f642" * 50, "water " * 200_000, "ab" * 14 + "a\U0001f642\U0001f642"]
    script = templates.load("ingest-chunks", model_id="", size=30)["processors"][0]
    body = {"pipeline": {"processors": [script]}, "docs": [{"_source": {"lsr_text": text}} for text in texts]}
    found = client.transport.perform_request("POST", "/_ingest/pipeline/_simulate", body=body)["docs"]
    for text, made in zip(texts, found, strict=True):
        assert made["doc"]["_source"].get("lsr_chunk_texts", []) == chunks.split(text, 30), text[:300]
