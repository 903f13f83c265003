"""Pseudo-queries: what they ask, and what is left to find."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opensearch_lsr.cli.quickstart import SAMPLE
from opensearch_lsr.data.pseudo_queries import STOP_WORDS, corpus_pseudo_queries, pseudo_queries, word_idf
from opensearch_lsr.data.sentences import parts, split
from opensearch_lsr.errors import InputError

TITLE = "Replacing a faucet washer"
FIRST = "A kitchen faucet that leaks has a perished rubber washer."
SECOND = "Close the shut-off valve under the basin before any other step."
TEXT = f"{FIRST} {SECOND}"


@pytest.mark.parametrize(
    ("paragraph", "sentences"),
    [
        ("One ends. Two ends! Does three? Yes.", ["One ends.", "Two ends!", "Does three?", "Yes."]),
        ("Dr. Smith et al. (Fig. 2) met J. R. Doe. He left.", ["Dr. Smith et al. (Fig. 2) met J. R. Doe.", "He left."]),
        ("Use tools, e.g. Pliers or, i.e. Tongs. Stop.", ["Use tools, e.g. Pliers or, i.e. Tongs.", "Stop."]),
        ("Version 3.5 of No. 7. He said no. It ended.", ["Version 3.5 of No. 7.", "He said no.", "It ended."]),
        ("He said “stop.” She did (at once.) Good", ["He said “stop.”", "She did (at once.)", "Good"]),
        ("a first sentence . a second one . end", ["a first sentence .", "a second one .", "end"]),
        ("all in lower case. as a second one is.", ["all in lower case.", "as a second one is."]),
        ("Yahoo! is one name and stays.", ["Yahoo! is one name and stays."]),
        ("これは文です。次の文です。", ["これは文です。", "次の文です。"]),
        ("Über Änderungen. Été à Paris.", ["Über Änderungen.", "Été à Paris."]),
        ("wrapped\nover lines. Another\none.", ["wrapped over lines.", "Another one."]),
        ("...", ["..."]),
        ("", []),
    ],
)  # fmt: skip
def test_sentences(paragraph: str, sentences: list[str]) -> None:
    assert list(split(paragraph)) == sentences


def test_headings() -> None:
    text = (
        "## Closing the valve ##\nTurn it right.\n\nTools you need\n\nA wrench,\nand tape.\n\n"
        "Old style\n---------\nText here.\n\n    indented code line\n\nnot a heading\n\nThe last line is none"
    )
    assert list(parts(text)) == [
        ("Closing the valve", True),
        ("Turn it right.", False),
        ("Tools you need", True),
        ("A wrench, and tape.", False),
        ("Old style", True),
        ("Text here.", False),
        ("indented code line", False),
        ("not a heading", False),
        ("The last line is none", False),
    ]


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
def test_nothing_is_lost_in_splitting(text: str) -> None:
    joined = " ".join(split(text))
    assert "".join(joined.split()) == "".join(text.split())


def many(title: str, text: str, count: int = 8) -> tuple[dict[str, set[str]], set[str]]:
    """Queries of each kind, and what was left of the document, over a hundred seeds."""
    found: dict[str, set[str]] = {"title": set(), "heading": set(), "sentence": set(), "phrase": set()}
    documents = set()
    for seed in range(100):
        left, queries = pseudo_queries(title, text, random.Random(seed), count)
        documents.add(left)
        for query in queries:
            found[query.kind].add(query.text)
    return found, documents


def test_every_kind_and_what_they_should_find() -> None:
    long = f"{TEXT}\n\nTools you need\n\nOnly a wrench, and two hands that hold it still when the nut lets go."
    last = "Only a wrench, and two hands that hold it still when the nut lets go."
    found, left = many(TITLE, long, count=20)
    assert found["title"] == {TITLE}
    assert found["heading"] == {"Tools you need"}
    assert found["sentence"] == {FIRST, SECOND, last}
    phrases = {"Close the shut-off valve", "close the shut-off valve", "perished rubber washer"}
    assert phrases <= found["phrase"]
    assert all(phrase.lower() in long.lower() for phrase in found["phrase"])
    assert left == {  # one sentence is asked for: two would be more than half of the words
        f"{title}{sentences}"
        for title in (f"{TITLE} ", "")
        for sentences in (
            f"{SECOND} Tools you need {last}", f"{FIRST} Tools you need {last}", f"{TEXT} Tools you need",
            f"{SECOND} {last}", f"{FIRST} {last}", TEXT,
        )
    }  # fmt: skip


def test_every_sentence_that_is_a_query_is_left_out() -> None:
    sentences = [f"The {word} valve of this house was closed by hand." for word in ("red", "blue", "old", "new")]
    left, queries = pseudo_queries("", " ".join(sentences), random.Random(1), 30)
    asked = [query.text for query in queries if query.kind == "sentence"]
    assert len(asked) == 2
    assert left == " ".join(sentence for sentence in sentences if sentence not in asked)


def test_a_text_without_sentence_queries_stays_as_it_was_written() -> None:
    found, left = many(TITLE, "Short.\n\n  * washers\n  * tape")
    assert not found["sentence"]
    assert left == {f"{TITLE} Short.\n\n  * washers\n  * tape", "Short.\n\n  * washers\n  * tape"}


def test_a_title_that_the_text_repeats_is_left_out_there_too() -> None:
    assert many("Faucet washers", f"Faucet washers. {FIRST}")[1] == {f"Faucet washers Faucet washers. {FIRST}", FIRST}
    third = "Take the perished washer along when you buy the new one."
    assert many(FIRST, f"{TEXT} {third}")[0]["sentence"] == {SECOND, third}  # the title would give the first away


@pytest.mark.parametrize(
    ("title", "text", "kinds"),
    [
        ("Aspirin", FIRST, {"title", "phrase"}),  # one sentence: nothing would stay
        ("", FIRST, {"phrase"}),
        ("", TEXT, {"sentence", "phrase"}),
        ("Title only", "", set()),
        ("", "", set()),
        ("***", "Short one.", {"phrase"}),
        ("Same", "Same", {"title"}),
        ("Wasserhähne", "Undichte Hähne brauchen eine neue Dichtung. 水を止める。", {"title", "phrase"}),
        ("", "This is what it was. They would not have been here either.", set()),
    ],
)  # fmt: skip
def test_texts_that_give_little(title: str, text: str, kinds: set[str]) -> None:
    found, left = many(title, text)
    assert {kind for kind, queries in found.items() if queries} == kinds
    assert not kinds or all(document.strip() for document in left)


def test_rare_words_make_the_phrases() -> None:
    text = "Common words; gasket sealant."  # two phrases, one of them rare
    idf = {"common": 1.0, "words": 1.0, "gasket": 9.0, "sealant": 9.0}

    def share(idf: dict[str, float] | None) -> float:
        drawn = [q.text for seed in range(400) for q in pseudo_queries("", text, random.Random(seed), 1, idf)[1]]
        return sum(phrase == "gasket sealant" for phrase in drawn) / len(drawn)

    assert share(None) == pytest.approx(1 / 2, abs=0.1)
    assert share(idf) == pytest.approx(1 - (1 / 2) ** 6, abs=0.05)  # the rarest of six


plain = st.text(st.sampled_from("abcdeAB é.,!?\n# -水。\"'"), max_size=300)


@settings(deadline=None)
@given(plain, plain, st.integers(), st.integers(0, 6))
def test_any_text_is_taken(title: str, text: str, seed: int, count: int) -> None:
    left, found = pseudo_queries(title, text, random.Random(seed), count)
    assert (left, found) == pseudo_queries(title, text, random.Random(seed), count)
    assert len({query.text for query in found}) == len(found) <= count
    assert left.strip() or not found
    for query in found:
        assert query.text.strip()
        if query.kind == "sentence":
            assert len(query.text.replace("-", " ").split()) >= 6
            assert query.text not in left
        if query.kind == "phrase":
            words = query.text.split()
            assert words[0].lower() not in STOP_WORDS
            assert words[-1].lower() not in STOP_WORDS


def test_word_idf() -> None:
    idf = word_idf(["The cat", "the dog, the DOG", "a cat"])
    assert idf["the"] == idf["cat"] == pytest.approx(math.log(1 + (3 - 2 + 0.5) / (2 + 0.5)))
    assert idf["dog"] == pytest.approx(math.log(1 + (3 - 1 + 0.5) / (1 + 0.5)))


def test_the_sample_corpus() -> None:
    found = list(corpus_pseudo_queries(SAMPLE, seed=1, per_document=3))
    assert found == list(corpus_pseudo_queries(SAMPLE, seed=1, per_document=3))
    assert found != list(corpus_pseudo_queries(SAMPLE, seed=2, per_document=3))
    assert len(found) == 220
    assert max(len(queries) for _, _, queries in found) == 3
    kinds = Counter(query.kind for _, _, queries in found for query in queries)
    assert set(kinds) == {"title", "sentence", "phrase"}
    assert min(kinds.values()) > 100


def test_a_documents_queries_do_not_depend_on_its_place() -> None:
    corpus = [{"_id": str(n), "title": f"Title {n}", "text": f"{TEXT} Part number {n}."} for n in range(4)]
    forward = list(corpus_pseudo_queries(corpus, 1, 3))
    assert sorted(map(repr, forward)) == sorted(map(repr, corpus_pseudo_queries(reversed(corpus), 1, 3)))


def test_a_shared_title_is_no_query(tmp_path: Path) -> None:
    corpus = [{"_id": "1", "title": "Faucets", "text": TEXT}, {"_id": "2", "title": "Faucets", "text": FIRST}]
    assert "title" not in {query.kind for _, _, queries in corpus_pseudo_queries(corpus, 1, 20) for query in queries}
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(d) + "\n" for d in [*corpus, corpus[0]]))
    with pytest.raises(InputError, match="c.jsonl:3: duplicate id '1', first at line 1; correct the line"):
        list(corpus_pseudo_queries(tmp_path / "c.jsonl", 1, 3))
