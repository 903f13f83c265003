"""Hard negatives: documents that a searcher ranks high for a query and that are not known to answer it.

BM25's are the first step of SPLADE++ (arXiv 2205.04733), the current model's own the second (self-mining).
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from opensearch_lsr import bundle
from opensearch_lsr.data.training_set import Row, TrainingSet
from opensearch_lsr.errors import CheckpointError, InputError, needs_extra
from opensearch_lsr.given_path import given_path
from opensearch_lsr.training.bm25 import BM25

with needs_extra("train", "mining negatives"):
    import numpy as np
    from numpy.typing import NDArray
    from scipy.sparse import csr_matrix, vstack

Scores = NDArray[np.float32]
OnProgress = Callable[[str, int, int], None]
SCORES_A_BLOCK = 2**25  # queries × documents at a time: 128 MiB
TEXTS_A_STEP = 512  # encoded between two reports


class Searcher(Protocol):
    """Scores every document of a fixed list for queries."""

    def scores(self, queries: Sequence[str]) -> Scores:
        """Score each of the D documents for Q queries: float32 [Q, D], 0 where nothing matches."""


class BM25Searcher:
    """:class:`opensearch_lsr.training.bm25.BM25` with k1 1.2 and b 0.75.

    Args:
        documents: their texts.

    Raises:
        InputError: when the documents hold no word but stop words.
    """

    def __init__(self, documents: Sequence[str]) -> None:
        self._index = BM25(documents)
        if not self._index.documents.nnz:
            raise InputError("the documents hold no words that BM25 could find; mine with an encoder instead")
        self._columns = self._index.documents.T.tocsr()  # [terms, D]

    def scores(self, queries: Sequence[str]) -> Scores:
        found: Scores = (self._index.queries(queries) @ self._columns).toarray().astype(np.float32)
        return found


class EncoderSearcher:
    """The dot product of a learned sparse encoder's vectors.

    Args:
        encoder: a bundle's folder or ``default`` (runs in onnxruntime), a sentence-transformers ``SparseEncoder``
            folder, or such a checkpoint's Hub name.
        documents: their texts, encoded at once.
        on_progress: called with ``("documents", done, total)``.

    Raises:
        MissingExtraError: when what runs the encoder is not installed.
        BundleError, CheckpointError: when it cannot be opened.
    """

    def __init__(self, encoder: str | Path, documents: Sequence[str], on_progress: OnProgress | None = None) -> None:
        is_bundle = str(encoder) == "default" or (given_path(encoder) / bundle.CONFIG).is_file()
        encode_documents, self._encode = _bundle(str(encoder)) if is_bundle else _checkpoint(encoder)
        blocks = []
        for start in range(0, len(documents), TEXTS_A_STEP):
            blocks.append(encode_documents(documents[start : start + TEXTS_A_STEP]))
            if on_progress:
                on_progress("documents", min(start + TEXTS_A_STEP, len(documents)), len(documents))
        self._columns = vstack(blocks).T.tocsr()  # [V, D]

    def scores(self, queries: Sequence[str]) -> Scores:
        found: Scores = (self._encode(queries) @ self._columns).toarray().astype(np.float32, copy=False)
        return found


def mine(
    training_set: TrainingSet,
    searcher: Searcher,
    depth: tuple[int, int] = (10, 200),
    per_query: int = 8,
    seed: int = 1,
    max_ratio: float | None = None,
    on_progress: OnProgress | None = None,
) -> TrainingSet:
    """Give each row negatives of a searcher's choice, in place of those it has.

    Args:
        training_set: queries, documents and rows; negatives come from its documents.
        searcher: over ``training_set.documents``, in their order.
        depth: the first and last rank to draw from, counted from 1 among the documents that match (score above 0) and
            are no positive of the query in any row.
        per_query: how many each row gets, drawn without replacement; fewer where the range holds fewer, down to none.
        seed: of the draw; a row's negatives depend on it and on the row's place only.
        max_ratio: leave out documents that score above ``max_ratio`` times the row's positive, which are likely to
            answer the query, too (NV-Retriever's TopK-PercPos, arXiv 2407.15831, with 0.95). A positive that the
            searcher does not find at all leaves no negatives.
        on_progress: called with ``("queries", done, total)``.

    Returns:
        The same queries and documents; every row's positive, then its negatives, best first. No scores.

    Raises:
        InputError: for a depth, number or ratio that makes no sense.
    """
    first, last = depth
    if not 1 <= first <= last:
        raise InputError(f"depth {first}-{last}: give the first and last rank, such as 10-200")
    if per_query < 1:
        raise InputError(f"{per_query} negatives a query: give 1 or more")
    if max_ratio is not None and not 0 < max_ratio < float("inf"):
        raise InputError(f"max ratio {max_ratio}: give a number above 0, such as 0.95")
    places = defaultdict(list)
    for place, row in enumerate(training_set.rows):
        places[row.query].append(place)
    rows = list(training_set.rows)
    queries = sorted(places)
    step = max(1, SCORES_A_BLOCK // max(1, len(training_set.documents)))
    for start in range(0, len(queries), step):
        block = queries[start : start + step]
        for query, scores in zip(block, searcher.scores([training_set.queries[q] for q in block]), strict=True):
            positives = {rows[place].documents[0] for place in places[query]}
            candidates = ranked(scores, positives, last)[first - 1 :]
            for place in places[query]:
                positive = rows[place].documents[0]
                allowed = (
                    candidates if max_ratio is None else candidates[scores[candidates] <= max_ratio * scores[positive]]
                )
                rows[place] = Row(query, (positive, *_draw(allowed, per_query, f"{seed}:{place}")))
        if on_progress:
            on_progress("queries", start + len(block), len(queries))
    return TrainingSet(list(training_set.queries), list(training_set.documents), rows)


def ranked(scores: Scores, excluded: Collection[int], last: int) -> NDArray[np.int64]:
    """The best ``last`` documents, best first.

    Args:
        scores: float32 [D].
        excluded: documents to pass over.
        last: how many at most.

    Returns:
        int64 [≤ last] indices of documents that score above 0; equal scores by index.
    """
    rest = scores.copy()
    rest[list(excluded)] = 0
    found = np.flatnonzero(rest > 0)
    if len(found) > last:  # sorting a few hundred of a million is what makes this fast
        cutoff = -np.partition(-rest[found], last - 1)[last - 1]
        found = found[rest[found] >= cutoff]
    best: NDArray[np.int64] = found[np.lexsort((found, -rest[found]))][:last]
    return best


def _draw(candidates: NDArray[np.int64], count: int, seed: str) -> list[int]:
    order = random.Random(seed).sample(range(len(candidates)), min(count, len(candidates)))
    return [int(candidates[position]) for position in sorted(order)]


_Encode = Callable[[Sequence[str]], Any]  # texts [N] → scipy CSR float32 [N, V]


def _bundle(name: str) -> tuple[_Encode, _Encode]:
    from opensearch_lsr.document_encoder import DocumentEncoder
    from opensearch_lsr.query_encoder import QueryEncoder

    documents = DocumentEncoder.from_pretrained(name)
    columns = documents.bundle.tokenizer.get_vocab(with_added_tokens=True)
    lookup = QueryEncoder.from_pretrained(name).encode_batch if documents.bundle.config.query == "table" else None

    def encode_documents(texts: Sequence[str]) -> Any:
        return _matrix(documents.encode(texts), columns)

    def encode_queries(texts: Sequence[str]) -> Any:
        return encode_documents(texts) if lookup is None else _matrix(lookup(texts), columns)

    return encode_documents, encode_queries


def _checkpoint(name: str | Path) -> tuple[_Encode, _Encode]:
    folder = given_path(name)
    if folder.is_dir() and not (folder / "modules.json").is_file():
        raise CheckpointError(
            f"{folder}: neither a bundle (lsr.json) nor a sentence-transformers SparseEncoder (modules.json); "
            "make a bundle of it first: opensearch-lsr export"
        )
    from sentence_transformers.util import get_device_name  # torch, which BM25 does without

    from opensearch_lsr.training import checkpoint, head

    model = head.install_where_it_fits(checkpoint.load(checkpoint.find(name))).to(get_device_name())

    def with_method(method: Callable[..., Any]) -> _Encode:
        def encode(texts: Sequence[str]) -> Any:
            tensor = method(list(texts), show_progress_bar=False, save_to_cpu=True).coalesce()
            rows, columns = tensor.indices().numpy()
            return csr_matrix((tensor.values().float().numpy(), (rows, columns)), shape=tuple(tensor.shape))

        return encode

    return with_method(model.encode_document), with_method(model.encode_query)


def _matrix(vectors: Iterable[Mapping[str, float]], columns: Mapping[str, int]) -> Any:
    values: list[float] = []
    indices: list[int] = []
    starts = [0]
    for vector in vectors:
        values.extend(vector.values())
        indices.extend(columns[token] for token in vector)
        starts.append(len(indices))
    width = max(columns.values()) + 1
    return csr_matrix((np.asarray(values, dtype=np.float32), indices, starts), shape=(len(starts) - 1, width))
