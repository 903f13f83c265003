"""Chunks: what an encoder does not read of a long text it reads in pieces, each with a vector of its own.

A document's vectors are a ``nested`` field, its score is that of its best chunk (max-passage: Dai and Callan,
arXiv 1905.09217). Chunks are measured in bytes of UTF-8, not in tokens. A token stands for at least one byte, so what
has no more bytes than the encoder reads tokens is never truncated, in whichever script; and bytes can be counted
anywhere, so client and cluster cut a text at the same places, which are known from the text alone.

Tokens cannot be counted in the cluster: ``text_chunking`` takes only tokenizers of words (tried on 2.19.1 and 3.6.0).
They leave out punctuation and take no word apart, so many of its chunks are longer than an encoder reads
(``benchmarks/long_documents.py``), and texts of more than 10,000 words are refused when written through an alias.
"""

from __future__ import annotations

from typing import Any

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.errors import InputError

CHUNKS_FIELD, CHUNK_VECTOR = "lsr_chunks", "sparse_encoding"  # the latter is what the sparse_encoding processor writes
CHUNK_PATH = f"{CHUNKS_FIELD}.{CHUNK_VECTOR}"
MAPPING = {CHUNKS_FIELD: {"type": "nested", "properties": {CHUNK_VECTOR: {"type": "rank_features"}}}}
SHORTEST = 20  # bytes: less is no text
# what Java's Character.isWhitespace says, which the pipeline asks
_BLANK = frozenset("\t\n\v\f\r\x1c\x1d\x1e\x1f \u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2008\u2009\u200a")
_BLANK |= frozenset("\u2028\u2029\u205f\u3000")


def longest(bundle: Bundle) -> int:
    """The bytes of a chunk that the encoder reads in whole, ligatures aside that a tokenizer spells out (NFKC)."""
    return bundle.config.max_length - bundle.tokenizer.num_special_tokens_to_add(is_pair=False)


def check(size: int, bundle: Bundle) -> None:
    """Refuse chunks of so many bytes that the encoder may not read in whole, or that are no text.

    Raises:
        InputError: saying how long they may be.
    """
    most = longest(bundle)
    if not SHORTEST <= size <= most:
        raise InputError(
            f"chunks of {size} bytes: give {SHORTEST} to {most}; {bundle.config.name} reads "
            f"{bundle.config.max_length} tokens, and of a longer chunk it may not read all"
        )


def split(text: str, size: int) -> list[str]:
    """Cut a text into chunks, at white space unless that would leave one less than half full.

    Equal to what ``pipelines/ingest-chunks.json`` does in the cluster.

    Args:
        text: any.
        size: the bytes of UTF-8 that a chunk has at most; not less than :data:`SHORTEST`.

    Returns:
        The chunks in order, none of them blank; white space between them is left out, and nothing else.
    """
    found = []
    start = 0
    while start < len(text):
        if text[start] in _BLANK:
            start += 1
            continue
        end = _end(text, start, size)
        found.append(text[start:end])
        start = end
    return found


def nested(clause: dict[str, Any]) -> dict[str, Any]:
    """The query for documents whose best chunk scores as a clause on :data:`CHUNK_PATH` says."""
    return {"nested": {"path": CHUNKS_FIELD, "score_mode": "max", "query": clause}}


def _end(text: str, start: int, size: int) -> int:
    counted = cut = 0  # bytes, and where to cut
    for place in range(start, len(text)):
        letter = text[place]
        if letter in _BLANK and 2 * counted >= size:
            cut = place
        counted += 1 if letter < "\x80" else 2 if letter < "\u0800" else 3 if letter < "\U00010000" else 4
        if counted > size:
            return cut or place
    return len(text)
