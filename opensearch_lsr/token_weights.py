"""The query-side table: one weight for every token of the vocabulary (``idf.json``).

Inference-free matching is ``s(q, d) = Σ_{j ∈ tokens(q)} idf_j · w(d)_j`` (arXiv 2411.04403, eq. for doc-only mode);
this module holds ``idf``. Special tokens weigh 0. A table that lacks tokens is refused: ML Commons would give a missing
token 1.0 and sentence-transformers 0, so the same query would rank differently here and there.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from opensearch_lsr import strict_json
from opensearch_lsr.errors import BundleError
from opensearch_lsr.stranger_files import bounded

TokenWeights = dict[str, float]
MAX_WEIGHT = 64  # OpenSearch refuses query tokens that weigh more
PRIOR_DOCUMENTS = 1000  # that a table to smooth with counts for


def check(weights: Mapping[str, float], vocabulary: Collection[str], specials: Collection[str], source: str) -> None:
    """Refuse a table that does not fit its vocabulary.

    Args:
        weights: token → weight.
        vocabulary: every token of the tokenizer.
        specials: the tokenizer's special tokens, which must weigh 0.
        source: where the table came from, for the message.

    Raises:
        BundleError: naming what is wrong and the remedy.
    """
    missing = [token for token in vocabulary if token not in weights]
    if missing:
        raise BundleError(
            f"{source}: {len(missing):,} of {len(vocabulary):,} vocabulary tokens have no weight "
            f"(first: {missing[0]!r}); write every token, 0 for those that should not match"
        )
    for token, weight in weights.items():
        if type(weight) not in (int, float) or not 0 <= weight <= MAX_WEIGHT:
            raise BundleError(
                f"{source}: token {token!r} weighs {weight!r:.50}; weights are numbers from 0 to {MAX_WEIGHT}"
            )
    known = set(vocabulary)
    for token in weights:
        if token not in known:
            raise BundleError(
                f"{source}: {token!r} is not in the tokenizer's vocabulary; table and tokenizer must match"
            )
    for token in specials:
        if weights[token] != 0:
            raise BundleError(f"{source}: special token {token!r} weighs {weights[token]}; special tokens weigh 0")


def load(path: Path) -> TokenWeights:
    """Read an ``idf.json``: one JSON object, token → weight.

    Raises:
        BundleError: when the file is missing or is no such object.
    """
    try:
        table = strict_json.loads(bounded(path, 50, BundleError).read_bytes())
    except FileNotFoundError as error:
        raise BundleError(f"{path}: not found; a bundle with query: table needs its idf.json") from error
    except ValueError as error:
        raise BundleError(f"{path}: not JSON ({error}); export the bundle again") from error
    if not isinstance(table, dict):
        raise BundleError(f"{path}: holds {type(table).__name__}, not an object of token → weight")
    return table


def save(weights: Mapping[str, float], path: Path) -> None:
    """Write an ``idf.json``, in the table's order."""
    path.write_text(json.dumps(weights, ensure_ascii=False), encoding="utf-8")


def without_specials(weights: Mapping[str, float], specials: Collection[str]) -> TokenWeights:
    """The same table with the special tokens at 0 (published tables give them 1.0)."""
    special = set(specials)
    return {token: 0.0 if token in special else float(weight) for token, weight in weights.items()}


def from_corpus(
    documents: Iterable[Collection[str]], vocabulary: Iterable[str], specials: Collection[str]
) -> TokenWeights:
    """Lucene's IDF, ``ln(1 + (N − df + 0.5) / (df + 0.5))``, of each vocabulary token over tokenized documents."""
    frequencies: Counter[str] = Counter()
    count = 0
    for tokens in documents:
        count += 1
        frequencies.update(set(tokens))
    idf = {token: math.log(1 + (count - frequencies[token] + 0.5) / (frequencies[token] + 0.5)) for token in vocabulary}
    return without_specials(idf, specials)


def smoothed(
    weights: Mapping[str, float], documents: int, prior: Mapping[str, float], specials: Collection[str]
) -> TokenWeights:
    """Mix two tables as if the prior's had been counted over :data:`PRIOR_DOCUMENTS` documents more.

    exp(−idf) = (df + 0.5) / (N + 1) is the share of documents that hold a token; with m prior documents the mixture
    is idf = −ln((N · exp(−idf_corpus) + m · exp(−idf_prior)) / (N + m)), between the two.

    Args:
        weights: token → IDF over the corpus.
        documents: N.
        prior: token → IDF, of every token in ``weights``.
        specials: tokens that weigh 0 whatever the tables say.
    """
    total = documents + PRIOR_DOCUMENTS
    mixed = {
        token: math.log(total / (documents * math.exp(-weight) + PRIOR_DOCUMENTS * math.exp(-prior[token])))
        for token, weight in weights.items()
    }
    return without_specials(mixed, specials)


def digest(weights: Mapping[str, float]) -> str:
    """SHA-256 of the non-zero weights in token order: equal for a table and for its copy in a cluster."""
    canonical = json.dumps(
        [[token, float(weight)] for token, weight in sorted(weights.items()) if weight], ensure_ascii=False
    )
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
