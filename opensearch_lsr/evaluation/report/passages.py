"""Why a document was found: its matched tokens marked in its text, and those that expansion added."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from opensearch_lsr.evaluation.report.reading import Part, number, text

SHOWN_WORDS = 90
"""Longer texts are cut to the run of so many words with the largest contributions."""
_WORD = re.compile(r"\w+")
_NO_SPACES = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]")


@dataclass(frozen=True)
class Match:
    """A token shared by query and document.

    Attributes:
        token: as in the vocabulary; ``##`` marks one that goes on a word.
        contribution: query weight × document weight.
        level: 1 (weak) to 4, by its share of the strongest.
        in_text: whether a word of the document holds it; otherwise the encoder added it.
    """

    token: str
    contribution: float
    level: int
    in_text: bool


@dataclass(frozen=True)
class Piece:
    """A piece of text, and how strongly it is marked (0: not)."""

    text: str
    level: int = 0
    contribution: float = 0.0


@dataclass(frozen=True)
class Passage:
    """A document with marks."""

    title: list[Piece]
    body: list[Piece]
    matches: list[Match]


def passage(document: Part, tokens: Sequence[Part] = ()) -> Passage:
    """A document's title and text with the words that hold matched tokens marked.

    Args:
        document: ``title`` and ``text``.
        tokens: ``token`` and ``score`` (query weight × document weight).
    """
    wanted = _Wanted(tokens)
    title, body = (wanted.marked(text(document, key)) for key in ("title", "text"))
    matches = [
        Match(found.token, found.contribution, found.level, found.token in wanted.seen)
        for found in sorted(wanted.all, key=lambda match: -match.contribution)
    ]
    return Passage(title, _excerpt(body), matches)


class _Wanted:
    """Matched tokens, looked for in words as WordPiece writes them.

    A word is marked where tokens spell it out. One that they do not spell out is marked where a token of four letters
    or more begins it (“brake” in “brakes”), or one that goes on a word and has six or more ends it; shorter fragments
    say too little.
    """

    def __init__(self, tokens: Sequence[Part]) -> None:
        scored = [(text(token, "token"), number(token, "score") or 0.0) for token in tokens]
        strongest = max((score for _, score in scored), default=0.0) or 1.0
        self.all = [Match(t, score, 1 + min(3, int(4 * max(score, 0.0) / strongest)), False) for t, score in scored]
        self.seen: set[str] = set()
        self._first = {_folded(m.token.lstrip("▁Ġ ")): m for m in self.all if not m.token.startswith("##")}
        self._next = {_folded(m.token[2:]): m for m in self.all if m.token.startswith("##")}
        self._longest = max((len(letters) for letters in (*self._first, *self._next)), default=0)

    def marked(self, value: str) -> list[Piece]:
        """Text as pieces; the tokens met are added to ``seen``."""
        pieces = []
        for before, word in _words(value):
            pieces += [Piece(before)] if before else []
            pieces += self._mark(word) if word else []
        return pieces

    def _mark(self, word: str) -> list[Piece]:
        folded = _folded(word)
        spans = self._spelled(folded) or self._part(folded)
        self.seen.update(match.token for _, _, match in spans)
        if spans and len(folded) != len(word):  # folding changed the length (ß, ligatures): the whole word is marked
            spans = [(0, len(word), spans[0][2])]
        pieces, at = [], 0
        for start, end, match in spans:
            pieces += [Piece(word[at:start])] if start > at else []
            pieces.append(Piece(word[start:end], match.level, match.contribution))
            at = end
        return [*pieces, Piece(word[at:])] if at < len(word) else pieces

    def _spelled(self, word: str) -> list[tuple[int, int, Match]]:
        """The whole word as tokens, the longest first as WordPiece does; empty where they do not spell it."""
        spans: list[tuple[int, int, Match]] = []
        at = 0
        while at < len(word):
            vocabulary = self._next if at else self._first
            ends = range(min(len(word), at + self._longest), at, -1)
            end = next((end for end in ends if word[at:end] in vocabulary), None)
            if end is None:
                return []
            spans.append((at, end, vocabulary[word[at:end]]))
            at = end
        return spans

    def _part(self, word: str) -> list[tuple[int, int, Match]]:
        """The strongest token that begins or ends the word, or stands anywhere in a script without spaces."""
        spans = []
        for vocabulary, goes_on in ((self._first, False), (self._next, True)):
            for letters, match in vocabulary.items():
                start = word.find(letters)
                anywhere = start >= 0 and _NO_SPACES.search(letters) is not None
                if goes_on and len(word) > len(letters) and word.endswith(letters):
                    self.seen.add(match.token)  # perhaps of this word: not added by the encoder, nor worth a mark
                    start, anywhere = len(word) - len(letters), anywhere or len(letters) >= 6
                elif not goes_on and start == 0 and len(letters) >= 4:
                    anywhere = True
                if letters and anywhere:
                    spans.append((start, start + len(letters), match))
        return [max(spans, key=lambda span: span[2].contribution)] if spans else []


def _words(value: str) -> list[tuple[str, str]]:
    """``(what stands before, word)``, the last word empty."""
    found, at = [], 0
    for match in _WORD.finditer(value):
        found.append((value[at : match.start()], match.group()))
        at = match.end()
    return [*found, (value[at:], "")]


def _excerpt(pieces: list[Piece]) -> list[Piece]:
    """The run of pieces with the largest contributions, when there are too many to show."""
    shown = 2 * SHOWN_WORDS  # a word and what stands before it
    if len(pieces) <= shown:
        return pieces
    weights = [piece.contribution for piece in pieces]
    total = best = sum(weights[:shown])
    start = 0
    for i in range(1, len(pieces) - shown + 1):
        total += weights[i + shown - 1] - weights[i - 1]
        if total > best + 1e-9:
            start, best = i, total
    cut = pieces[start : start + shown]
    return [*([Piece("… ")] if start else []), *cut, *([Piece(" …")] if start + shown < len(pieces) else [])]


def _folded(value: str) -> str:
    """Lower case without accents, as BERT's uncased vocabularies are."""
    decomposed = unicodedata.normalize("NFD", value.lower())
    return "".join(character for character in decomposed if not unicodedata.combining(character))
