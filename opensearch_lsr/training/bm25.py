"""BM25 over a fixed list of documents, for any queries.

    s(q, d) = Σ_{t ∈ q} idf_t · tf_td / (tf_td + k1 · (1 − b + b · |d| / avg|d|))

with ``idf_t = ln(1 + (N − df_t + 0.5) / (df_t + 0.5))``: Lucene's form, which OpenSearch ranks by. A term that stands
twice in the query counts twice. All of it but the query is known beforehand, so documents are a matrix of term scores,
queries one of term counts, and a block of pairs is their product.

Example: documents "red fish" and "blue", k1 = 1.2, b = 0.75. "fish" is in 1 of 2: idf = ln 2 = 0.693. |d| = 2,
avg|d| = 1.5: 1 / (1 + 1.2 · (0.25 + 0.75 · 2 / 1.5)) = 0.4, so s("fish", document 0) = 0.277, and 0 for document 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from opensearch_lsr.errors import needs_extra

with needs_extra("train", "BM25"):
    import bm25s
    import numpy as np
    import scipy.sparse
    import Stemmer


class BM25:
    """English words, stemmed (Snowball), stop words left out.

    Args:
        documents: their texts; they give N, df and the average length.
        k1: how slowly a repeated term saturates.
        b: how much a document's length counts, 0 to 1.

    Attributes:
        documents: float32 CSR [documents, terms], what each term adds to a score.
    """

    def __init__(self, documents: Sequence[str], k1: float = 1.2, b: float = 0.75) -> None:
        ids, terms = tokenize(documents)
        counts = _counts(ids, len(terms))
        lengths = counts.sum(axis=1, dtype=np.float64)
        length = k1 * (1 - b + b * lengths / max(lengths.mean(), 1.0)) if len(documents) else lengths
        frequencies = np.bincount(counts.indices, minlength=len(terms))
        idf = np.log1p((len(documents) - frequencies + 0.5) / (frequencies + 0.5))
        row = np.repeat(np.arange(len(documents)), np.diff(counts.indptr))
        tf = counts.data
        scores = (idf[counts.indices] * tf / (tf + length[row])).astype(np.float32)
        self.documents = scipy.sparse.csr_array((scores, counts.indices, counts.indptr), shape=counts.shape)
        self._columns = {term: index for index, term in enumerate(terms)}

    def queries(self, texts: Sequence[str]) -> scipy.sparse.csr_array:
        """How often each term of the documents stands in a query: float64 CSR [queries, terms]."""
        ids, own = tokenize(texts)
        column = [self._columns.get(term, -1) for term in own]
        return _counts([[column[index] for index in row if column[index] >= 0] for row in ids], len(self._columns))


def tokenize(texts: Sequence[str]) -> tuple[list[list[int]], list[str]]:
    """bm25s's tokens: words of two letters or more in lower case, without English stop words, Snowball stems.

    Returns:
        For each text the positions of its terms, repeats included, in the list of terms; and that list, sorted, so
        that sums are taken in the same order in every run (bm25s numbers them by the order of a set).
    """
    found = bm25s.tokenize(list(texts), stopwords="en", stemmer=Stemmer.Stemmer("english"), show_progress=False)
    terms = sorted(found.vocab)
    position = {found.vocab[term]: index for index, term in enumerate(terms)}
    return [[position[identifier] for identifier in row] for row in found.ids], terms


def _counts(rows: Sequence[Sequence[int]], width: int) -> scipy.sparse.csr_array:
    """float64 [rows, width]: how often each column is named."""
    columns = np.fromiter(chain.from_iterable(rows), dtype=np.int64)
    ends = np.cumsum([0, *(len(row) for row in rows)])
    counts = scipy.sparse.csr_array((np.ones(len(columns)), columns, ends), shape=(len(rows), width))
    counts.sum_duplicates()
    return counts
