"""Deletes: which documents the source no longer has, found where the numbers of its documents shrank."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from opensearchpy import OpenSearch

from opensearch_lsr.cluster import alias, operations
from opensearch_lsr.cluster.handover.view import IDS, Hit, Key, View, key
from opensearch_lsr.errors import ClusterError

COUNTED = 10_000  # ranges of sequence numbers in an answer that says how many documents each has
STEP = 100  # into how many a range that shrank is divided


def gone(before: View, after: View) -> list[Key]:
    """What ``before`` has and ``after`` does not: deleted between the two, which are views of one index.

    A document that was changed has another sequence number, one that was deleted has none: where a range of them holds
    as many documents as before, they are the same. So this costs what was changed between, not what there is.
    """
    found: list[Key] = []
    for shard in before.checkpoints:
        numbers = _vanished(before, after, shard)
        for start in range(0, len(numbers), IDS):
            found += _missing(before.numbered(shard, numbers[start : start + IDS]), after, shard)
        for page in before.above(shard):  # there numbers say nothing: documents are added, too
            found += _missing(page, after, shard)
    return found


def strays(target: View, source: View) -> Iterator[Hit]:
    """Documents of the target that the source does not have; reads the ids of all."""
    for shard in target.checkpoints:
        for page in target.changed(shard, -1, IDS, source=False):
            yield from _deleted(page, source)


def named(keys: Iterable[Key], target: View, source: View) -> Iterator[Hit]:
    """Those of the documents with these names that the target has and the source does not."""
    rest = iter(keys)
    while wanted := set(islice(rest, IDS)):
        hits = target.having(identifier for identifier, _ in wanted)
        yield from _deleted([hit for hit in hits if key(hit) in wanted], source)


def remove(client: OpenSearch, target: str, hits: Iterable[Hit]) -> int:
    """Delete these documents of the target, but for those that were written anew meanwhile; returns how many."""
    removed = 0
    for done, outcome in operations.perform(client, (_delete(target, hit) for hit in hits)):
        removed += done
        if not done and outcome.get("status") not in (404, 409):
            raise ClusterError(f"{target}: {outcome['_id']} cannot be deleted: {outcome.get('error')}")
    return removed


def _vanished(before: View, after: View, shard: int) -> list[int]:
    """The sequence numbers, up to the checkpoint, that were a document's and are no more."""
    end = before.checkpoints[shard] + 1
    ranges, width = [(0, end)], -(-end // COUNTED)
    while ranges and width:
        shrunk: set[int] = set()
        for start in range(0, len(ranges), COUNTED // STEP):
            some = ranges[start : start + COUNTED // STEP]
            then, now = (view.counts(shard, some, width) for view in (before, after))
            shrunk |= {number for number, count in then.items() if now.get(number, 0) < count}
        if width == 1:
            return sorted(shrunk)
        # not beyond the end: above it documents are added, too
        ranges = [(number, min(number + width, end)) for number in sorted(shrunk)]
        width = -(-width // STEP)
    return []


def _missing(hits: list[Hit], view: View, shard: int) -> list[Key]:
    there = {key(hit) for hit in view.having((hit["_id"] for hit in hits), shard)} if hits else set()
    return [key(hit) for hit in hits if key(hit) not in there]


def _deleted(hits: list[Hit], source: View) -> list[Hit]:
    """Asked of the source after they were read in the target: what is not there now was deleted, and not made since.

    A document that is removed here cannot be copied again as it was, only as it is made anew.
    """
    there = {key(hit) for hit in source.having(hit["_id"] for hit in hits)}
    return [hit for hit in hits if key(hit) not in there]


def _delete(target: str, hit: Hit) -> dict[str, Any]:
    action = {
        "_op_type": "delete",
        "_index": alias.filling(target),
        "_id": hit["_id"],
        "if_seq_no": hit["_seq_no"],
        "if_primary_term": hit["_primary_term"],
    }
    return action if hit.get("_routing") is None else action | {"routing": hit["_routing"]}
