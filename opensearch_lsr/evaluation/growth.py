"""Grown corpora: a collection's documents, and as many more made of their sentences as are asked for.

A document that is not judged is cut, between sentences, into two or three parts of about equal length. A grown document
is the first part of one document, with its title, and one further part each of one or two others of similar length, so
that it is about as long as they are.

Each part is encoded once; a grown document comes with the element-wise maximum of its parts' vectors. What that has
too much of, :mod:`opensearch_lsr.evaluation.likeness` takes away.

Judged documents are left whole and give no parts: half of a relevant document would be relevant, and unjudged.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from opensearch_lsr.data import sentences
from opensearch_lsr.errors import InputError
from opensearch_lsr.evaluation.collection import Document
from opensearch_lsr.sparse_vector import SparseVector

WAYS = (2, 3)
_BANDS, _LEAST_IN_BAND = 20, 100  # documents of a band are of similar length


class Part(NamedTuple):
    """A part of a document.

    Attributes:
        rank: of its document, by length, the shortest first.
        ways: into how many parts that is cut.
        first: whether it is the one with the title.
        document: what is encoded: the part's id, the title or nothing, the part's text without line breaks.
    """

    rank: int
    ways: int
    first: bool
    document: Document


def cut(documents: Sequence[Document], judged: Container[str]) -> list[Part]:
    """Cut documents into parts.

    A text with fewer sentences than parts is cut between words. Left out are documents that are judged or equal one
    that is, texts of a single word, and parts that equal another.

    Args:
        documents: real ones.
        judged: ids of those to leave whole.

    Returns:
        Parts, by ``rank`` and in the order of the text.
    """
    whole = {document.text for document in documents if document.id in judged}
    sources = [document for document in documents if document.text not in whole and len(document.text.split()) > 1]
    sources.sort(key=lambda document: (len(document.text.split()), document.id))
    parts, seen = [], set()
    for rank, document in enumerate(sources):
        ways = WAYS[rank % len(WAYS)]
        for number, text in enumerate(_cut(document.text, ways)):
            title = "" if number else document.title
            if (title, text) not in seen:
                seen.add((title, text))
                parts.append(Part(rank, ways, not number, Document(f"{document.id}#{number}", title, text)))
    return parts


class Growth:
    """A stream of documents made of parts, the same for the same parts, seed and ``most``.

    Memory is that of the parts and their vectors, however many documents are made. No two are equal: each is another
    combination of distinct parts, and line breaks say where they meet.

    Short and long documents, of two parts and of three, come as often as each other as far as there are so many: two
    parts have fewer combinations. Their proportions are those of the whole stream from its first document on, so that
    a small corpus differs from a large one in nothing but its size.

    Args:
        parts: of :func:`cut`.
        vectors: one a part, in order: of its ``document.whole``.
        seed: another one gives other documents.
        most: how many documents the stream has: those of the largest corpus that is compared.

    Raises:
        ValueError: when there are not as many vectors as parts.
        InputError: when so many documents cannot be made.
    """

    def __init__(self, parts: Sequence[Part], vectors: Sequence[Mapping[str, float]], seed: int, most: int) -> None:
        if len(vectors) != len(parts):
            raise ValueError(f"{len(vectors)} vectors for {len(parts)} parts; give one for each")
        self._parts, self._vectors = parts, vectors
        self._slots = _slots(parts, seed)
        possible = [slot.capacity for slot in self._slots]
        if most > sum(possible):
            raise InputError(
                f"{most:,} grown documents asked for; the {len(parts):,} parts of documents that are not judged "
                f"make {sum(possible):,}: grow less, or a larger collection"
            )
        self._shares = _shares(possible, most)

    def documents(self, stop: int, start: int = 0) -> Iterator[tuple[Document, SparseVector]]:
        """Documents number ``start`` to ``stop - 1`` of the stream."""
        for number, combination in islice(enumerate(self._combinations()), start, stop):
            chosen = [self._parts[index].document for index in combination]
            text = "\n".join(part.text for part in chosen)
            vector = _maximum(self._vectors[index] for index in combination)
            yield Document(f"lsr-grown-{number}", chosen[0].title, text), vector

    def _combinations(self) -> Iterator[tuple[int, ...]]:
        """Each slot's share, spread evenly over the stream."""
        streams = map(_due, range(len(self._slots)), self._slots, self._shares)
        return (combination for _, _, combination in heapq.merge(*streams))


def capacity(parts: Sequence[Part]) -> int:
    """How many different documents there are to make."""
    return sum(slot.capacity for slot in _slots(parts, seed=0))


def _slots(parts: Sequence[Part], seed: int) -> list[_Slot]:
    """By length and ways of cutting."""
    documents = 1 + max((part.rank for part in parts), default=-1)
    bands = max(1, min(_BANDS, documents // _LEAST_IN_BAND))
    members: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for index, part in enumerate(parts):
        members[part.rank * bands // documents, part.ways].append(index)
    return [_Slot(parts, found, ways, f"{seed} {band}") for (band, ways), found in sorted(members.items())]


def _shares(possible: Sequence[int], wanted: int) -> list[int]:
    """Equal numbers that add up to ``wanted``, none above what is possible: [5, 100, 100] and 45 give [5, 20, 20]."""
    shares = [0] * len(possible)
    for done, slot in enumerate(sorted(range(len(possible)), key=possible.__getitem__)):
        shares[slot] = min(possible[slot], (wanted - sum(shares)) // (len(possible) - done))
    return shares


def _due(place: int, slot: _Slot, share: int) -> Iterator[tuple[float, int, tuple[int, ...]]]:
    """A slot's combinations with when each is due in a stream that goes from 0 to 1, and the slot's place."""
    for drawn, combination in enumerate(islice(slot, share)):
        yield (drawn + 0.5) / share, place, combination


class _Slot:
    """Combinations of parts from documents of similar length that are cut the same way: a first part, ways − 1 others.

    All combinations have a number; a walk by steps prime to their count meets each once, in an order that spreads over
    all parts (the golden ratio's step) without a set of those already met.
    """

    def __init__(self, parts: Sequence[Part], members: Sequence[int], ways: int, seed: str) -> None:
        self._rank = {index: parts[index].rank for index in members}
        self._heads = [index for index in members if parts[index].first]
        self._others = [index for index in members if not parts[index].first]
        self._ways = ways
        generator = random.Random(f"{seed} {ways}")
        generator.shuffle(self._heads)
        generator.shuffle(self._others)
        self._count = len(self._heads) * math.comb(len(self._others), ways - 1)
        self._start = generator.randrange(max(1, self._count))

    @property
    def capacity(self) -> int:
        """Combinations of parts that are all of different documents."""
        own = Counter(self._rank[index] for index in self._others)
        count = len(self._others)
        if self._ways == 2:
            return sum(count - own[self._rank[head]] for head in self._heads)
        pairs = math.comb(count, 2) - sum(math.comb(n, 2) for n in own.values())
        return sum(pairs - own[self._rank[head]] * (count - own[self._rank[head]]) for head in self._heads)

    def __iter__(self) -> Iterator[tuple[int, ...]]:
        step = int(self._count * (math.sqrt(5) - 1) / 2) or 1
        while math.gcd(step, self._count) > 1:
            step += 1
        for number in range(self._count):
            chosen = self._combination((self._start + number * step) % self._count)
            if len({self._rank[index] for index in chosen}) == self._ways:
                yield chosen

    def _combination(self, number: int) -> tuple[int, ...]:
        number, head = divmod(number, len(self._heads))
        if self._ways == 2:
            return self._heads[head], self._others[number]
        later = (1 + math.isqrt(1 + 8 * number)) // 2  # pairs in the order (1, 0), (2, 0), (2, 1), (3, 0) …
        return self._heads[head], self._others[number - math.comb(later, 2)], self._others[later]


def _maximum(vectors: Iterable[Mapping[str, float]]) -> SparseVector:
    """The element-wise maximum."""
    greatest: SparseVector = {}
    for vector in vectors:
        for token, weight in vector.items():
            if weight > greatest.get(token, 0.0):
                greatest[token] = weight
    return greatest


def _cut(text: str, ways: int) -> list[str]:
    units = [part for part, _ in sentences.parts(text)]
    if len(units) < ways:
        units = text.split()
    lengths = [len(unit.split()) for unit in units]
    groups: list[list[str]] = [[] for _ in range(ways)]
    before = 0
    for unit, length in zip(units, lengths, strict=True):
        groups[int(ways * (before + length / 2) / sum(lengths))].append(unit)
        before += length
    return [" ".join(group) for group in groups if group]
