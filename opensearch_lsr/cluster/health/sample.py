"""One pass over documents of an index, a random sample or all of them, that counts what the judgements need.

A vector is stale when the text changed and the vector did not. The document says so itself: ``lsr_text_hash`` is the
hash of the text that was encoded. How that comes about, tried on 3.6.0 and 2.19.1:

- An ``update`` in a bulk request does not pass the index's default pipeline: the vector stays as it was. With
  ``doc_as_upsert`` the pipeline gets the partial document alone, and its tokens are laid over the old ones.
- A single ``_update`` and ``_update_by_query`` pass the pipeline with the whole document, so the vector is made anew
  (OpenSearch warns that this is to go away).
- A pipeline given with the request (``_none``, say) replaces the default one; where the client encodes there is none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from opensearchpy import OpenSearch, helpers

from opensearch_lsr.cluster import chunks
from opensearch_lsr.cluster.chunks import CHUNK_VECTOR, CHUNKS_FIELD
from opensearch_lsr.cluster.deployed import Deployed
from opensearch_lsr.cluster.deployment import OWN_FIELDS, SHORT_FIELD, TEXT_HASH_FIELD, VECTOR_FIELD
from opensearch_lsr.data.documents import text_hash, text_of

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PAGE = 200  # documents fetched, and tokenized, at once
SEED = 0  # the same documents each time, as long as the index does not change


@dataclass
class Sample:
    """What was counted. ``max_length`` and ``longest`` are in tokens, special ones included, and of what is encoded at
    once: texts or their chunks. Without a tokenizer that cuts texts, ``max_length`` is None and nothing is known of
    lengths."""

    max_length: int | None
    documents: int = 0
    in_index: int = 0
    with_vector: int = 0
    with_hash: int = 0
    stale: list[str] = field(default_factory=list)
    without_short: list[str] = field(default_factory=list)  # they have a vector, and no short one beside it
    truncated: int = 0
    longest: int = 0
    frequencies: Counter[str] = field(default_factory=Counter)  # token → documents whose vector has it

    @property
    def of(self) -> str:
        """What was looked at, for people."""
        if self.documents == self.in_index:
            return f"{self.documents:,} documents"
        return f"{self.documents:,} documents (at random, of {self.in_index:,})"


def take(
    client: OpenSearch,
    target: Deployed,
    tokenizer: Tokenizer | None,
    size: int | None,
    on_progress: Callable[[str, int, int], None],
) -> Sample:
    """Look at documents.

    Args:
        client: the cluster.
        target: the deployment.
        tokenizer: the encoder's own, with its truncation.
        size: how many documents; None for all.
        on_progress: called with ("documents", done, total).
    """
    cut = tokenizer.truncation if tokenizer else None
    sample = Sample(int(cut["max_length"]) if cut else None)
    if tokenizer:
        tokenizer.no_truncation()
        tokenizer.no_padding()
    sample.in_index = client.count(index=target.index)["count"]
    total = min(size or sample.in_index, sample.in_index)
    hits = islice(_hits(client, target, size), size)
    while page := list(islice(hits, PAGE)):
        texts = [text_of(hit["_source"], target.fields) for hit in page]
        for hit, text in zip(page, texts, strict=True):
            _count(sample, hit["_id"], hit["_source"], text)
        if tokenizer and sample.max_length:
            for length in _lengths(tokenizer, texts, target):
                sample.longest = max(sample.longest, length)
                sample.truncated += length > sample.max_length
        on_progress("documents", sample.documents, total)
    return sample


def _hits(client: OpenSearch, target: Deployed, size: int | None) -> Iterator[dict[str, Any]]:
    everything: dict[str, Any] = {"match_all": {}}
    at_random = {"function_score": {"query": everything, "random_score": {"seed": SEED, "field": "_seq_no"}}}
    query = {"query": everything if size is None else at_random, "_source": [*target.fields, *OWN_FIELDS]}
    ordered = size is not None
    found: Iterator[dict[str, Any]] = helpers.scan(
        client, index=target.index, query=query, size=PAGE, preserve_order=ordered
    )
    return found


def _lengths(tokenizer: Tokenizer, texts: Sequence[str], target: Deployed) -> Iterator[int]:
    """The most tokens of each text that are encoded at once."""
    parts = [chunks.split(text, target.chunk) if target.chunk else [text] for text in texts]
    encodings = iter(tokenizer.encode_batch([p.encode("utf-8", "replace").decode() for own in parts for p in own]))
    for own in parts:
        yield max((len(next(encodings).ids) for _ in own), default=0)


def _count(sample: Sample, identifier: str, source: dict[str, Any], text: str) -> None:
    sample.documents += 1
    vectors = [source.get(VECTOR_FIELD) or {}, *(chunk[CHUNK_VECTOR] for chunk in source.get(CHUNKS_FIELD, []))]
    marked = source.get(TEXT_HASH_FIELD)
    if any(vectors):
        sample.with_vector += 1
        sample.frequencies.update(set().union(*vectors))
        if SHORT_FIELD not in source:
            sample.without_short.append(identifier)
    if marked:
        sample.with_hash += 1
        if marked != text_hash(text):
            sample.stale.append(identifier)
