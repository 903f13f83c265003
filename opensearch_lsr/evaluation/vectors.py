"""A corpus's sparse vectors by a bundle, encoded once, and what they cost: active dimensions, FLOPS, posting lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.errors import needs_extra
from opensearch_lsr.evaluation.blocks import Blocks, blocks
from opensearch_lsr.sparse_vector import SparseVector

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class SparseVectors(Sequence[SparseVector]):
    """Vectors of N documents, in the order of their texts; 8 bytes a weight in memory.

    Attributes:
        tokens: what each id is called.
        starts: int64 [N + 1], where each vector begins.
        ids: int32 [weights], token ids.
        weights: float32 [weights], positive.
        truncated: how many texts were longer than the encoder reads.
        seconds: that encoding took; None where some were in the cache.
    """

    tokens: list[str]
    starts: NDArray[np.int64]
    ids: NDArray[np.int32]
    weights: NDArray[np.float32]
    truncated: int
    seconds: float | None

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, position: Any) -> Any:  # one position; slices would copy for nothing
        if not 0 <= position < len(self):
            raise IndexError(position)
        part = slice(int(self.starts[position]), int(self.starts[position + 1]))
        tokens = self.tokens
        return {tokens[i]: w for i, w in zip(self.ids[part].tolist(), self.weights[part].tolist(), strict=True)}

    def __iter__(self) -> Iterator[SparseVector]:
        return (self[position] for position in range(len(self)))

    @property
    def largest_weight(self) -> float:
        """0 where there are no weights at all."""
        return float(self.weights.max(initial=0.0))

    @property
    def occurring(self) -> list[str]:
        """The tokens that have a weight somewhere, by id."""
        with needs_extra("eval", "counting tokens"):
            import numpy as np
        return [self.tokens[index] for index in np.unique(self.ids).tolist()]

    @property
    def encode_documents_per_s(self) -> float | None:
        """None where it was not measured now: another machine, or a busier one, may have filled the cache."""
        return len(self) / self.seconds if self.seconds else None


def encode(
    bundle: Bundle,
    texts: Sequence[str],
    cache: Path,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> SparseVectors:
    """Vectors of documents by onnxruntime, from the cache where they are there.

    Args:
        bundle: whose document encoder.
        texts: title and text of each document, joined as the bundle's deployment joins them; an empty one gets no
            weights.
        cache: folder that runs share; vectors lie under the document fingerprint and a digest of the texts.
        on_progress: told (documents done, documents).

    Raises:
        InputError: when the cache cannot be written.
        BundleError: when the bundle's files are not what was exported.
        MissingExtraError: when onnxruntime is not installed.
    """
    with needs_extra("eval", "keeping vectors"):
        import numpy as np
    bundle.verify()
    ids = {name: index for index, name in enumerate(bundle.names)}
    encoder: DocumentEncoder | None = None  # opened when a block is missing

    def encode_block(part: Sequence[str]) -> Blocks:
        nonlocal encoder
        encoder = encoder or DocumentEncoder(bundle)
        stream = encoder.encode_stream(filter(None, part))
        rows = [next(stream) if text else ({}, False) for text in part]
        return {
            "lengths": np.array([len(vector) for vector, _ in rows], np.int64),
            "ids": np.array([ids[token] for vector, _ in rows for token in vector], np.int32),
            "weights": np.array([weight for vector, _ in rows for weight in vector.values()], np.float32),
            "truncated": np.array(sum(truncated for _, truncated in rows)),
        }

    folder = cache / f"lsr-{bundle.config.document_fingerprint[:16]}"
    parts, seconds = blocks(folder, texts, encode_block, on_progress)
    lengths = np.concatenate([part["lengths"] for part in parts]) if parts else np.zeros(0, np.int64)
    return SparseVectors(
        bundle.names,
        np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]),
        np.concatenate([part["ids"] for part in parts]) if parts else np.zeros(0, np.int32),
        np.concatenate([part["weights"] for part in parts]) if parts else np.zeros(0, np.float32),
        sum(int(part["truncated"]) for part in parts),
        seconds,
    )


def figures(documents: Iterable[Mapping[str, float]], queries: Iterable[Mapping[str, float]]) -> dict[str, Any]:
    """What vectors cost in an inverted index.

    FLOPS is the expected number of tokens that a query and a document share, each drawn at random (arXiv 2004.05665,
    measured on both sides as in the BEIR tables of sparse retrieval)::

        FLOPS = Σ_j p_q(j) · p_d(j)        p(j): the fraction of queries, of documents, with a weight for token j

    Example: documents {a}, {a, b} and queries {a}, {c}: p_q(a) = 1/2, p_d(a) = 1, so FLOPS = 0.5.

    Args:
        documents: their vectors, a stream.
        queries: theirs.

    Returns:
        ``active_dims`` and ``query_active_dims`` (means), ``flops``, ``longest_posting`` (documents) and
        ``longest_posting_token``.
    """
    document_counts, document_total = _frequencies(documents)
    query_counts, query_total = _frequencies(queries)
    token, longest = max(document_counts.items(), key=lambda entry: (entry[1], entry[0]), default=("", 0))
    shared = sum(count * document_counts[token] for token, count in query_counts.items())
    return {
        "active_dims": document_counts.total() / max(1, document_total),
        "query_active_dims": query_counts.total() / max(1, query_total),
        "flops": shared / max(1, document_total * query_total),
        "longest_posting": longest,
        "longest_posting_token": token,
    }


def _frequencies(vectors: Iterable[Mapping[str, float]]) -> tuple[Counter[str], int]:
    counts: Counter[str] = Counter()
    total = 0
    for vector in vectors:
        counts.update(vector.keys())
        total += 1
    return counts, total
