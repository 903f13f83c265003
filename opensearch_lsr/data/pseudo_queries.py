"""Pseudo-queries: what a collection without queries has to train on.

==========  ===============================================  =========================================================
kind        the query                                        the document that should be found
==========  ===============================================  =========================================================
title       the title                                        the text, half of the time without its title
heading     a heading within the text                        the document, half of the time without that heading
sentence    an informative sentence (6 to 30 words)          the document without that sentence
phrase      2 to 6 content words that stand together,        the document
            in lower case half of the time
==========  ===============================================  =========================================================

A query that is missing from its document cannot be answered by copying: this is the inverse cloze task (Lee, Chang and
Toutanova, arXiv 1906.00300, who leave the sentence in a tenth of the time).
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args

from opensearch_lsr import token_weights
from opensearch_lsr.data import documents
from opensearch_lsr.data.sentences import parts
from opensearch_lsr.errors import InputError

Kind = Literal["title", "heading", "sentence", "phrase"]
FIELDS = ("title", "text")
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
    """A query made from a document, and the text that should be found for it."""

    text: str
    kind: Kind
    document: str


def pseudo_queries(
    title: str,
    text: str,
    rng: random.Random,
    count: int,
    idf: Mapping[str, float] | None = None,
    title_query: bool = True,
) -> list[PseudoQuery]:
    """Make up to ``count`` distinct queries from one document; equal arguments give equal queries.

    Args:
        title: may be empty.
        text: a document without text gives no query.
        rng: where chance comes from.
        count: how many; fewer where the text does not give them.
        idf: word in lower case → rarity within the corpus (:func:`word_idf`): phrases are then of rare words.
        title_query: False keeps the title from being a query, such as one that many documents share.

    Returns:
        The queries, kinds mixed evenly as far as the document has them.
    """
    document = _Document(title.strip(), text.strip(), list(parts(text)))
    waiting: dict[Kind, list[str]] = {
        "title": [document.title] if title_query and _is_title(document.title) else [],
        "heading": document.headings(),
        "sentence": document.sentences(),
        "phrase": _phrases(document, rng, count, idf),
    }
    for kind in ("heading", "sentence"):
        rng.shuffle(waiting[kind])
    found: dict[str, PseudoQuery] = {}
    while document.text and len(found) < count and (kinds := [kind for kind in get_args(Kind) if waiting[kind]]):
        kind = rng.choice(kinds)
        query = waiting[kind].pop()
        target = document.target(query, kind, leave_out=kind == "sentence" or rng.random() < 0.5)
        if target and query not in found:
            found[query] = PseudoQuery(query, kind, target)
    return list(found.values())


def corpus_pseudo_queries(
    corpus: Path | Iterable[Mapping[str, Any]], seed: int, per_document: int, idf: Mapping[str, float] | None = None
) -> Iterator[tuple[str, PseudoQuery]]:
    """Make queries from every document of a corpus.

    A document's queries depend on the seed, its id, its text and ``idf``, not on its place. A title that several
    documents share is no query.

    Args:
        corpus: a file or folder that :func:`opensearch_lsr.data.documents.read` reads, or ``{"_id", "title", "text"}``
            mappings.
        seed: another one gives other queries.
        per_document: how many at most.
        idf: see :func:`pseudo_queries`; by default counted over the corpus.

    Yields:
        ``(document id, query)``. Queries of one document should not be each other's negatives.

    Raises:
        InputError: naming the line of the corpus that cannot be read.
    """
    sources = list(_sources(corpus) if isinstance(corpus, Path) else corpus)
    if idf is None:
        idf = word_idf(documents.text_of(source, FIELDS) for source in sources)
    titles = Counter(_field(source, "title") for source in sources)
    for source in sources:
        title, rng = _field(source, "title"), random.Random(f"{seed}:{source['_id']}")
        for query in pseudo_queries(title, _field(source, "text"), rng, per_document, idf, titles[title] == 1):
            yield str(source["_id"]), query


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

    def sentences(self) -> list[str]:
        """The informative ones, as long as six words or more stay."""
        own = {part: len(_WORD.findall(part)) for part, heading in self.parts if not heading}
        rest = sum(own.values()) - SENTENCE_WORDS[0]
        return [sentence for sentence, length in own.items() if length <= rest and _informative(sentence)]

    def target(self, query: str, kind: Kind, leave_out: bool) -> str | None:
        """The document to find; None where leaving the query out leaves nothing, or leaves it in all the same."""
        if kind == "phrase" or not leave_out:
            return _joined(self.title, self.text)
        kept = [part for part, _ in self.parts if _bare(part) != _bare(query)]
        rest = _joined("" if kind == "title" else self.title, *kept)
        if kind == "title" and len(kept) == len(self.parts):
            rest = self.text  # as it was written
        return None if not kept or (kind == "sentence" and _bare(query) in rest.lower()) else rest


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
    for item in documents.read(str(corpus), FIELDS, allow_empty=True):
        if isinstance(item, documents.Reject):
            raise InputError(f"{item}; correct the line or leave it out")
        yield {**item.source, "_id": item.id}
