"""Token weights by token id, as the query path holds them: parsed and checked once, afterwards read from a cache.

Reading an ``idf.json`` and comparing it with the vocabulary takes longer than all else in starting a query encoder. The
same weights as float64 by token id are one read of 240 KB. A cache file is named after the SHA-256 of the two files it
was made from, so it can be missing (it is written again) but not stale, and starts with the SHA-256 of its content, so
that a damaged one is not used.
"""

from __future__ import annotations

import hashlib
import os
import sys
from array import array
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from opensearch_lsr.bundle import TABLE, TOKENIZER, Bundle

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_DIGEST = hashlib.sha256().digest_size
_FORM = f"float64 {sys.byteorder} 1".encode()


def by_id(tokenizer: Tokenizer, weights: Mapping[str, float]) -> array[float]:
    """The weight of each token id, 0 where there is none.

    Args:
        tokenizer: whose ids they are.
        weights: token → weight; tokens it does not know are left out.
    """
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    table = array("d", bytes(8 * (max(vocabulary.values(), default=-1) + 1)))
    for token, index in vocabulary.items():
        table[index] = weights.get(token, 0.0)
    return table


def load(bundle: Bundle, tokenizer: Tokenizer) -> array[float]:
    """The weights of a bundle's table by token id.

    Args:
        bundle: with ``query: table``.
        tokenizer: the bundle's.

    Raises:
        BundleError: for a bi-encoder, which has none, and for a table that is missing or does not fit.
    """
    file = _cache_file(bundle)
    table = file and _read(file)
    if table:
        return table
    table = by_id(tokenizer, bundle.weights)
    if file:
        _keep(table, file)
    return table


def _cache_file(bundle: Bundle) -> Path | None:
    """None for what cannot be cached, whose error is :attr:`Bundle.weights`' to tell, and for users without a home."""
    try:
        digest = hashlib.sha256(_FORM + (bundle.path / TOKENIZER).read_bytes() + (bundle.path / TABLE).read_bytes())
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except (OSError, RuntimeError):
        return None
    return folder / "opensearch-lsr" / "token-weights" / f"{digest.hexdigest()}.f64"


def _read(file: Path) -> array[float] | None:
    with suppress(OSError, ValueError):
        content = file.read_bytes()
        if content[:_DIGEST] == hashlib.sha256(content[_DIGEST:]).digest():
            return array("d", content[_DIGEST:])
    return None


def _keep(table: array[float], file: Path) -> None:
    from opensearch_lsr.whole_file import whole

    content = table.tobytes()
    with suppress(OSError), whole(file) as draft:  # a folder that cannot be written costs time, no more
        draft.write_bytes(hashlib.sha256(content).digest() + content)
