"""Pseudo-queries: what a collection without queries has to train on.

========  ====================================================  ======================================================
kind      the query                                             of the document that should be found
========  ====================================================  ======================================================
title     the title                                             left out half of the time
heading   a heading within the text                             all of them left out half of the time
sentence  an informative sentence (6 to 30 words)               left out, each that is a query
phrase    2 to 6 content words that stand together, in lower    left as it is
          case half of the time
========  ====================================================  ======================================================

A query that is missing from its document cannot be answered by copying: this is the inverse cloze task (Lee, Chang and
Toutanova, arXiv 1906.00300, who leave the sentence in a tenth of the time). A document is one text to all of its
queries, so that it is encoded once for them; it keeps at least half of its words.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args

from opensearch_lsr import token_weights
from opensearch_lsr.data import documents
from opensearch_lsr.data.sentences import parts

Kind = Literal["title", "heading", "sentence", "phrase"]
SENTENCE_WORDS = (6, 30)
PHRASE_WORDS = (2, 6)
MAX_TITLE_WORDS = 40
_TRIES = 6  # windows looked at for a phrase: the rarest of them is taken
_WORD = re.compile(r"\w(?:[\w'’.+#/&-]*[\w+#])?")
_BREAK = re.compile(r"[^\w\s'’./+#&-]+|\s[-–—/.]+(?=\s|$)|[./]+(?=\s|$)")  # a phrase does not run across these
_CODE = re.compile(r"[={}<>_\\|]|\(\)|:\w+ \w+:")
_NO_LETTER = re.compile(r"[^\w\s]|\d")
_ANAPHORS = frozenset(
    ["but", "he", "her", "his", "it", "its", "she", "that", "their", "these", "they", "this", "those", "such"]
)
_LINKS = frozenset(["and", "for", "in", "of", "on", "the", "to", "with"])  # stop words that a phrase may hold
_STOP_WORDS = """
a about above after again all also am an and any are as at be because been before being below between both but by can
could did do does doing down during each either few for from further had has have having he her here hers him his how
however i if in into is it its itself just may me might more most much must my no nor not of off on once only onto or
other our ours out over own per same shall she should since so some such than that the their theirs them then there
these they this those through thus to too under until up upon us very was we were what when where whether which while
who whom whose why will with within without would yet you your yours
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
_DIVIDING = STOP_WORDS - _LINKS


@dataclass(frozen=True)
class PseudoQuery:
    """A query made from a document."""

    text: str
    kind: Kind


def pseudo_queries(
    title: str,
    text: str,
    rng: random.Random,
    count: int,
    idf: Mapping[str, float] | None = None,
    title_query: bool = True,
) -> tuple[str, list[PseudoQuery]]:
    """Make up to ``count`` distinct queries from one document; equal arguments give equal queries.

    Args:
        title: may be empty.
        text: a document without text gives no query.
        rng: where chance comes from.
        count: how many; fewer where the text does not give them.
        idf: word in lower case → rarity within the corpus (:func:`word_idf`): phrases are then of rare words.
        title_query: False keeps the title from being a query, such as one that many documents share.

    Returns:
        What is left of the document, which all of the queries should find, and the queries, kinds mixed evenly as far
        as the document has them.
    """
    document = _Document(title.strip(), text.strip(), list(parts(text)))
    waiting: dict[Kind, list[str]] = {
        "title": [document.title] if title_query and _is_title(document.title) else [],
        "heading": document.headings(),
        "sentence": document.sentences(rng),
        "phrase": _phrases(document, rng, count, idf),
    }
    rng.shuffle(waiting["heading"])
    found: dict[str, PseudoQuery] = {}
    while document.text and len(found) < count and (kinds := [kind for kind in get_args(Kind) if waiting[kind]]):
        kind = rng.choice(kinds)
        query = waiting[kind].pop()
        found.setdefault(query, PseudoQuery(query, kind))
    queries = list(found.values())
    return document.left({kind for kind in ("title", "heading") if rng.random() < 0.5}, queries), queries


def corpus_pseudo_queries(
    corpus: Path | Iterable[Mapping[str, Any]], seed: int, per_document: int, idf: Mapping[str, float] | None = None
) -> Iterator[tuple[str, str, list[PseudoQuery]]]:
    """Make queries from every document of a corpus that gives any.

    A document's queries depend on the seed, its id, its text and ``idf``, not on its place. A title that several
    documents share is no query.

    Args:
        corpus: a file or folder that :func:`opensearch_lsr.data.documents.read` reads, or ``{"_id", "title", "text"}``
            mappings.
        seed: another one gives other queries.
        per_document: how many at most.
        idf: see :func:`pseudo_queries`; by default counted over the corpus.

    Yields:
        ``(document id, what is left of the document, its queries)``.

    Raises:
        InputError: naming the line of the corpus that cannot be read.
    """
    sources = list(_sources(corpus) if isinstance(corpus, Path) else corpus)
    if idf is None:
        idf = word_idf(documents.text_of(source, documents.TITLED) for source in sources)
    titles = Counter(_field(source, "title") for source in sources)
    for source in sources:
        title, rng = _field(source, "title"), random.Random(f"{seed}:{source['_id']}")
        left, queries = pseudo_queries(title, _field(source, "text"), rng, per_document, idf, titles[title] == 1)
        if queries:
            yield str(source["_id"]), left, queries


def word_idf(texts: Iterable[str]) -> dict[str, float]:
    """Lucene's IDF of each word, in lower case, over the texts."""
    words = [{word.lower() for word in _WORD.findall(text)} for text in texts]
    return token_weights.from_corpus(words, set().union(*words), ())


@dataclass(frozen=True)
class _Document:
    title: str
    text: str
    parts: list[tuple[str, bool]]

    def headings(self) -> list[str]:
        """Those of two words or more: Introduction or Results says nothing of the document."""
        return [
            part for part, heading in self.parts if heading and len(_content(_WORD.findall(part))) >= PHRASE_WORDS[0]
        ]

    def sentences(self, rng: random.Random) -> list[str]:
        """Informative ones, shuffled, that neither repeat nor together hold more than half of the words."""
        own = [part for part, heading in self.parts if not heading]
        spare = sum(len(_WORD.findall(part)) for part in own) // 2
        found: dict[str, None] = {}
        for sentence in rng.sample(own, len(own)):
            length = len(_WORD.findall(sentence))
            if length <= spare and _informative(sentence) and _bare(sentence) != _bare(self.title):
                found.setdefault(sentence)
                spare -= length
        return list(found)

    def left(self, without: Collection[str], queries: Iterable[PseudoQuery]) -> str:
        """The document without the sentences asked for, and without title or headings, unless nothing else is left."""
        asked = {_bare(query.text) for query in queries if query.kind == "sentence"}
        title = "" if "title" in without else self.title
        drop_title = {_bare(self.title)} if "title" in without else set()
        kept = [
            part
            for part, heading in self.parts
            if _bare(part) not in asked | drop_title and not (heading and "heading" in without)
        ]
        whole = len(kept) == len(self.parts)
        return _joined(title, self.text if whole else " ".join(kept)) if kept else _joined(self.title, self.text)


def _phrases(document: _Document, rng: random.Random, count: int, idf: Mapping[str, float] | None) -> list[str]:
    runs = [run for part, heading in document.parts if not heading for run in _runs(part)]
    drawn = []
    for _ in range(count if runs else 0):
        windows = [_window(rng.choice(runs), rng) for _ in range(_TRIES if idf else 1)]
        best = max(windows, key=lambda words: _rarity(words, idf or {}))  # the first of equals
        phrase = " ".join(best)
        drawn.append(phrase.lower() if rng.random() < 0.5 else phrase)
    return drawn


def _runs(sentence: str) -> Iterator[list[str]]:
    """Words that no stop and no verb such as "is" divides, trimmed to begin and end with one of two content words."""
    for segment in _BREAK.split(sentence):
        words = _WORD.findall(segment)
        dividing = [place for place, word in enumerate(words) if word.lower() in _DIVIDING]
        for start, end in pairwise([-1, *dividing, len(words)]):
            run = words[start + 1 : end]
            places = _content(run)
            if len(places) >= PHRASE_WORDS[0]:
                yield run[places[0] : places[-1] + 1]


def _window(run: Sequence[str], rng: random.Random) -> Sequence[str]:
    places = _content(run)
    length = rng.randint(PHRASE_WORDS[0], min(PHRASE_WORDS[1], len(places)))
    first = rng.randint(0, len(places) - length)
    return run[places[first] : places[first + length - 1] + 1]


def _rarity(words: Sequence[str], idf: Mapping[str, float]) -> float:
    places = _content(words)
    return sum(idf.get(words[place].lower(), 0.0) for place in places) / len(places)


def _content(words: Sequence[str]) -> list[int]:
    """Where the content words are."""
    return [place for place, word in enumerate(words) if len(word) > 1 and word.lower() not in STOP_WORDS]


def _informative(sentence: str) -> bool:
    words = _WORD.findall(sentence)
    return (
        SENTENCE_WORDS[0] <= len(words) <= SENTENCE_WORDS[1]
        and len(_content(words)) >= SENTENCE_WORDS[0] // 2
        and words[0].lower() not in _ANAPHORS  # it would ask for what only its neighbours name
        and not _CODE.search(sentence)
        and len(_NO_LETTER.findall(sentence)) <= 0.2 * len(sentence)  # not a table
    )


def _is_title(title: str) -> bool:
    return any(map(str.isalnum, title)) and len(title.split()) <= MAX_TITLE_WORDS


def _bare(text: str) -> str:
    return text.strip(" .:!?…\"'“”").lower()


def _joined(*texts: str) -> str:
    return documents.text_of({"text": list(texts)}, ("text",))


def _field(source: Mapping[str, Any], name: str) -> str:
    return documents.text_of(source, (name,))


def _sources(corpus: Path) -> Iterator[Mapping[str, Any]]:
    for document in documents.read_all(str(corpus), documents.TITLED):
        yield {**document.source, "_id": document.id}
