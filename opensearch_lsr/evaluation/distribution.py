"""Is a grown corpus like the real one? Lengths and document frequencies of both, as quantiles side by side."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from opensearch_lsr.errors import needs_extra
from opensearch_lsr.evaluation.collection import Document
from opensearch_lsr.sparse_vector import SparseVector

with needs_extra("eval", "growing a corpus"):
    import numpy as np

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


class Distribution:
    """Counts over documents and their vectors, in memory that does not grow with the texts (8 bytes a document)."""

    def __init__(self) -> None:
        self._lengths, self._active = array("I"), array("I")
        self._tokens: Counter[str] = Counter()
        self._words: Counter[str] = Counter()

    def counting(self, documents: Iterable[tuple[Document, SparseVector]]) -> Iterator[tuple[Document, SparseVector]]:
        """Pass documents and vectors on, and count them."""
        for document, vector in documents:
            words = document.whole.lower().split()
            self._lengths.append(len(words))
            self._active.append(len(vector))
            self._tokens.update(vector.keys())
            self._words.update(set(words))
            yield document, vector

    def quantiles(self) -> dict[str, list[float]]:
        """At :data:`QUANTILES`; empty lists without documents.

        Returns:
            ``length``: words a document. ``active_dims``: tokens a vector. ``document_frequency``: the share of
            documents a token is in, weighted by postings (at .5: half of all postings are of tokens that are in at most
            that share); ``word_document_frequency``: the same of words.
        """
        count = len(self._lengths)
        return {
            "length": _quantiles(self._lengths),
            "active_dims": _quantiles(self._active),
            "document_frequency": _by_postings(self._tokens, count),
            "word_document_frequency": _by_postings(self._words, count),
        }


def beside(real: Distribution, grown: Distribution) -> dict[str, Any]:
    """Both, as ``results.json`` has them under ``distribution``."""
    one, other = real.quantiles(), grown.quantiles()
    return {"quantiles": list(QUANTILES)} | {name: {"real": one[name], "grown": other[name]} for name in one}


def _quantiles(values: array[int]) -> list[float]:
    return [float(value) for value in np.quantile(np.asarray(values), QUANTILES)] if values else []


def _by_postings(frequencies: Mapping[str, int], count: int) -> list[float]:
    if not frequencies:
        return []
    postings = np.sort(np.fromiter(frequencies.values(), dtype=np.int64))
    places = np.searchsorted(postings.cumsum(), np.array(QUANTILES) * postings.sum())
    return [float(share) for share in postings[places] / count]
