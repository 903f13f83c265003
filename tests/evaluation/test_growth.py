"""Grown corpora: what is joined, that no two are equal, that judged documents stay out, that memory stays flat."""

from __future__ import annotations

import random
import tracemalloc
from collections import defaultdict

import pytest

from opensearch_lsr.errors import InputError
from opensearch_lsr.evaluation.collection import Document
from opensearch_lsr.evaluation.distribution import QUANTILES, Distribution, beside
from opensearch_lsr.evaluation.growth import Growth, Part, capacity, cut


def corpus(count: int, seed: int = 1, sentences: tuple[int, int] = (1, 12)) -> list[Document]:
    """Documents of sentences that no other has; lengths vary twenty-fold, common words are common in all."""
    rng = random.Random(seed)
    words = [f"w{n}" for n in range(500)]
    weights = [1 / (n + 1) for n in range(500)]
    found = []
    for number in range(count):
        text = " ".join(
            f"S{number}x{s} {' '.join(rng.choices(words, weights, k=rng.randint(3, 18)))}."
            for s in range(rng.randint(*sentences))
        )
        found.append(Document(f"d{number}", f"Title {number}", text))
    return found


def vectors(parts: list[Part]) -> list[dict[str, float]]:
    """A weight for each word, exact in single precision: some words are in several parts with different weights."""
    return [
        {word: (len(part.document.text) + n) % 64 / 16 + 0.0625 for n, word in enumerate(part.document.whole.split())}
        for part in parts
    ]


def growth(count: int = 300, seed: int = 1, most: int = 10_000) -> Growth:
    parts = cut(corpus(count), set())
    return Growth(parts, vectors(parts), seed, most)


def origin(sentence: str) -> str:
    return sentence.split("x")[0].replace("S", "d")


def test_parts_are_the_document_cut_between_sentences() -> None:
    text = "One two three four. Five six seven.\nEight nine ten? Eleven twelve!"
    (first, second), (whole, *_) = cut([Document("a", "T", text)], set()), cut(corpus(1), set())
    assert (first.document, first.first, first.ways) == (
        Document("a#0", "T", "One two three four. Five six seven."),
        True,
        2,
    )
    assert (second.document, second.first) == (Document("a#1", "", "Eight nine ten? Eleven twelve!"), False)
    assert whole.document.title == "Title 0"


def test_documents_are_cut_in_two_and_three_by_turns() -> None:
    ways = defaultdict(set)
    numbers = defaultdict(int)
    for part in cut(corpus(100, sentences=(6, 12)), set()):
        ways[part.rank].add(part.ways)
        numbers[part.rank] += 1
    assert [ways[rank] for rank in range(100)] == [{2}, {3}] * 50
    assert [numbers[rank] for rank in range(100)] == [2, 3] * 50


def test_a_text_without_sentences_is_cut_between_words() -> None:
    parts = cut([Document("a", "", "one two three four"), Document("b", "", "five six seven eight nine ten")], set())
    assert [part.document.text for part in parts] == ["one two", "three four", "five six", "seven eight", "nine ten"]


def test_judged_documents_their_copies_and_equal_parts_are_left_out() -> None:
    documents = corpus(40, sentences=(4, 8))
    copy = Document("copy", "Another title", documents[5].text)
    twin = Document("twin", documents[6].title, documents[6].text)
    parts = cut([*documents, copy, twin, Document("empty", "T", ""), Document("word", "T", "Word.")], {"d5", "d7"})
    assert {part.document.id.split("#")[0] for part in parts} <= {d.id for d in documents} - {"d5", "d7"} | {"twin"}
    texts = [(part.document.title, part.document.text) for part in parts]
    assert len(set(texts)) == len(texts)
    grown = "\n".join(document.text for document, _ in Growth(parts, vectors(parts), 1, 500).documents(500))
    assert "S6x" in grown
    assert "S5x" not in grown
    assert "S7x" not in grown


def test_a_grown_document_joins_parts_of_two_or_three_documents_of_similar_length() -> None:
    real = {document.id: document for document in corpus(2000, sentences=(3, 12))}
    parts = cut(list(real.values()), set())
    sentences = {sentence for part in parts for sentence in part.document.text.split(". ")}
    by_length = sorted(real, key=lambda name: (len(real[name].text.split()), name))
    counts = set()
    for document, _ in Growth(parts, vectors(parts), 1, 2000).documents(2000):
        lines = document.text.split("\n")
        joined = [origin(line) for line in lines]
        assert len(set(joined)) == len(joined)
        assert document.title == real[joined[0]].title
        assert {sentence for line in lines for sentence in line.split(". ")} <= sentences
        ranks = [by_length.index(name) for name in joined]
        assert max(ranks) - min(ranks) < 100  # a twentieth of the corpus
        counts.add(len(joined))
    assert counts == {2, 3}


def test_its_vector_is_the_element_wise_maximum() -> None:
    parts = cut(corpus(300), set())
    by_text = {(part.document.title, part.document.text): v for part, v in zip(parts, vectors(parts), strict=True)}
    several = 0
    for document, vector in growth().documents(300):
        head, *others = document.text.split("\n")
        joined = [by_text[document.title, head], *(by_text["", text] for text in others)]
        tokens = set().union(*joined)
        assert vector == {token: max(v.get(token, 0.0) for v in joined) for token in tokens}
        several += sum(sum(token in v for v in joined) > 1 for token in tokens)
    assert several > 300


def test_no_two_are_equal() -> None:
    found = [document for document, _ in growth(most=30_000).documents(30_000)]
    assert len({(document.title, document.text) for document in found}) == 30_000
    assert len({frozenset(document.text.split("\n")) for document in found}) == 30_000  # nor by order alone
    assert len({document.id for document in found}) == 30_000


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8, 13])
def test_all_there_are_can_be_made_and_no_more(count: int) -> None:
    parts = cut(corpus(count, seed=count), set())
    most = capacity(parts)
    found = {(document.title, document.text) for document, _ in Growth(parts, vectors(parts), 1, most).documents(most)}
    assert len(found) == most
    assert most > 0 or count < 4
    with pytest.raises(InputError, match=rf"{most + 1:,} grown documents asked for; .* make {most:,}"):
        Growth(parts, vectors(parts), 1, most + 1)


def test_combinations_left_out_by_no_accident() -> None:
    """Against all that can be listed: heads of one kind with every set of others from different documents."""
    parts = cut(corpus(9, sentences=(6, 9)), set())
    expected = 0
    for head in (part for part in parts if part.first):
        others = [p for p in parts if not p.first and p.ways == head.ways and p.rank != head.rank]
        pairs = sum(a.rank != b.rank for n, a in enumerate(others) for b in others[:n])
        expected += len(others) if head.ways == 2 else pairs
    assert capacity(parts) == expected > 50


def test_a_smaller_growth_is_the_beginning_of_a_greater() -> None:
    whole = list(growth().documents(3000))
    assert list(growth().documents(1000)) == whole[:1000]
    assert list(growth().documents(3000, start=2500)) == whole[2500:]
    assert [document.id for document, _ in whole[:2]] == ["lsr-grown-0", "lsr-grown-1"]
    other = {document.text for document, _ in growth(seed=2).documents(1000)}
    assert len(other & {document.text for document, _ in whole}) < 300


def test_small_and_large_growths_are_made_alike() -> None:
    """Of three parts and of two, short and long, in the same proportions, where those of two parts run dry, too."""
    parts = cut(corpus(200, sentences=(6, 9)), set())
    of_two = sum(part.ways == 2 and part.first for part in parts) * (50 - 1)  # two bands of fifty such documents
    whole = [document for document, _ in Growth(parts, vectors(parts), 1, 20_000).documents(20_000)]
    twos = [document.text.count("\n") == 1 for document in whole]
    assert sum(twos) == of_two < 20_000 / 3
    lengths = [len(document.text.split()) for document in whole]
    for size in (100, 1_000, 10_000):
        assert sum(twos[:size]) == pytest.approx(size * of_two / 20_000, abs=4)
        assert sum(lengths[:size]) / size == pytest.approx(sum(lengths) / 20_000, rel=0.05)
    plenty = [document for document, _ in Growth(parts, vectors(parts), 1, 8_000).documents(8_000)]
    assert sum(document.text.count("\n") == 1 for document in plenty) == 4_000


def test_every_part_is_used_as_often_as_any_other_of_its_kind() -> None:
    parts = cut(corpus(200, sentences=(6, 9)), set())
    used: defaultdict[str, int] = defaultdict(int)
    for document, _ in Growth(parts, vectors(parts), 1, 8000).documents(8000):
        for text in document.text.split("\n"):
            used[text] += 1
    for ways in (2, 3):
        for first in (True, False):
            counts = [used[p.document.text] for p in parts if (p.ways, p.first) == (ways, first)]
            assert min(counts) > 0.5 * sum(counts) / len(counts)
            assert max(counts) < 2 * sum(counts) / len(counts)


def test_memory_does_not_grow_with_the_documents_made() -> None:
    made = growth()

    def peak(stop: int) -> int:
        tracemalloc.start()
        for _ in Distribution().counting(made.documents(stop)):
            pass
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(500)
    assert peak(6_000) < peak(1_000) + 5_000 * 20  # two numbers a document; its text and vector take 3 kB


def test_vectors_and_parts_must_fit() -> None:
    parts = cut(corpus(10), set())
    with pytest.raises(ValueError, match=r"\d+ vectors for \d+ parts"):
        Growth(parts, vectors(parts)[1:], 1, 3)
    with pytest.raises(InputError, match="make 0"):
        Growth([], [], 1, 1)
    assert list(Growth(parts, [{} for _ in parts], 1, 3).documents(3))[2][1] == {}


def test_lengths_and_word_frequencies_stay_like_the_real_ones() -> None:
    documents = corpus(2000)
    parts = cut(documents, {"d3", "d4"})
    real, grown = Distribution(), Distribution()
    assert list(real.counting((document, {}) for document in documents)) == [(document, {}) for document in documents]
    list(grown.counting(Growth(parts, vectors(parts), 1, 5000).documents(5000)))
    found = beside(real, grown)
    assert found["quantiles"] == list(QUANTILES)
    assert found["length"]["grown"] == pytest.approx(found["length"]["real"], rel=0.15)
    frequency = found["word_document_frequency"]
    assert frequency["grown"][2:] == pytest.approx(frequency["real"][2:], rel=0.2)  # words that are in more than one


def test_quantiles_by_hand() -> None:
    counted = Distribution()
    vectors = [{"a": 1.0}, {"a": 1.0, "b": 1.0}, {"a": 1.0, "b": 1.0, "c": 1.0}, {}]
    texts = [("", "one"), ("One", "two"), ("", "one one three"), ("", "")]
    list(counted.counting((Document("d", *t), v) for t, v in zip(texts, vectors, strict=True)))
    found = counted.quantiles()
    assert found["length"][2] == 1.5  # of 1, 2, 3, 0
    assert found["active_dims"] == pytest.approx([0.15, 0.75, 1.5, 2.25, 2.85, 2.97])
    assert found["document_frequency"] == [0.25, 0.5, 0.5, 0.75, 0.75, 0.75]  # postings: c, b, b, a, a, a
    assert found["word_document_frequency"] == [0.25, 0.25, 0.75, 0.75, 0.75, 0.75]  # two, three, one, one, one
    assert Distribution().quantiles() == {name: [] for name in found}
