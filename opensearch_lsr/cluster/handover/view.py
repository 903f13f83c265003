"""What an index holds, shard by shard and in the order of its changes: as it is now, or frozen at a moment."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from opensearchpy import OpenSearch

from opensearch_lsr.cluster.deployment import OWN_FIELDS
from opensearch_lsr.errors import ClusterError

Hit = dict[str, Any]
Key = tuple[str, str | None]  # a document's id and routing, which are one name: ids are unique within a shard only
PAGE = 200  # documents that are read at once: long ones, too, must fit into memory
IDS = 2000  # ids that are compared at once
SETTLED_WITHIN = 60.0  # seconds for replicas to have what their primary has
_END = 2**62  # above all sequence numbers
_KEEP_ALIVE = "10m"


def key(hit: Hit) -> Key:
    """How two indices name the same document."""
    return hit["_id"], hit.get("_routing")


def checkpoints(client: OpenSearch, index: str, settled: bool = False) -> dict[int, int]:
    """Shard → global checkpoint: the sequence number up to which every change is on all copies; -1 for an empty shard.

    Changes above it are under way, may become visible out of order, and may yet be undone.

    Args:
        client: the cluster.
        index: one index.
        settled: wait until nothing is under way; for an index that nobody writes to.

    Raises:
        ClusterError: when a primary is missing, or changes stay under way.
    """
    wanted = int(client.indices.get_settings(index=index)[index]["settings"]["index"]["number_of_shards"])
    deadline = time.monotonic() + SETTLED_WITHIN
    while True:
        shards = client.indices.stats(index=index, metric="docs", level="shards")["indices"][index]["shards"]
        found = {
            int(number): copy["seq_no"]
            for number, copies in shards.items()
            for copy in copies
            if copy["routing"]["primary"]
        }
        if len(found) < wanted:
            raise ClusterError(
                f"{index}: {wanted - len(found)} of its {wanted} primary shards are not there; see _cat/shards"
            )
        if not settled or all(numbers["max_seq_no"] == numbers["global_checkpoint"] for numbers in found.values()):
            return {shard: int(numbers["global_checkpoint"]) for shard, numbers in sorted(found.items())}
        if time.monotonic() > deadline:
            raise ClusterError(f"{index}: changes are still under way after {SETTLED_WITHIN:g} s; see _cat/shards")
        time.sleep(0.05)


class View:
    """An index's documents with sequence numbers up to its checkpoints, which were read before it was refreshed.

    Args:
        client: the cluster.
        index: one index.
        frozen: keep what is there now, whatever changes; close it then.
        settled: see :func:`checkpoints`.
    """

    def __init__(self, client: OpenSearch, index: str, *, frozen: bool = False, settled: bool = False) -> None:
        self._client = client
        self.index = index
        self.checkpoints = checkpoints(client, index, settled)
        refreshed = client.indices.refresh(index=index)["_shards"]
        if refreshed["failed"]:
            raise ClusterError(f"{index}: {refreshed['failed']} of its shards could not be refreshed; see _cat/shards")
        self._frozen: dict[int, str] = {}
        for shard in self.checkpoints if frozen else ():
            made = client.create_pit(index=index, keep_alive=_KEEP_ALIVE, preference=_only(shard))
            self._frozen[shard] = made["pit_id"]

    def close(self) -> None:
        """Let go of what was frozen."""
        if self._frozen:
            self._client.delete_pit(body={"pit_id": list(self._frozen.values())}, ignore=404)
            self._frozen = {}

    def changed(self, shard: int, after: int, size: int = PAGE, source: bool = True) -> Iterator[list[Hit]]:
        """Pages of documents changed after a sequence number, in the order of their changes.

        Args:
            shard: one of ``checkpoints``.
            after: the sequence number; -1 for all.
            size: documents a page.
            source: with their fields, but for what encoding added.
        """
        fields = {"excludes": list(OWN_FIELDS)} if source else False
        return self._pages(shard, after, self.checkpoints[shard], size, fields)

    def above(self, shard: int) -> Iterator[list[Hit]]:
        """Pages of documents changed after the checkpoint, without their fields: what came while the view was made."""
        return self._pages(shard, self.checkpoints[shard], _END, IDS, False)

    def numbered(self, shard: int, numbers: Sequence[int]) -> list[Hit]:
        """The documents with these sequence numbers, at most :data:`IDS`, without their fields."""
        return self._hits(shard, {"terms": {"_seq_no": numbers}}, IDS)

    def counts(self, shard: int, ranges: Sequence[tuple[int, int]], width: int) -> dict[int, int]:
        """How many documents there are in each ``width`` sequence numbers, by the first of them.

        Args:
            shard: one of ``checkpoints``.
            ranges: only documents with ``low <= _seq_no < high`` of one of these.
            width: ranges start at its multiples.
        """
        within = [{"range": {"_seq_no": {"gte": low, "lt": high}}} for low, high in ranges]
        request = {
            "size": 0,
            "query": {"bool": {"should": within}},
            "aggs": {"ranges": {"histogram": {"field": "_seq_no", "interval": width, "min_doc_count": 1}}},
        }
        buckets = self._search(shard, request)["aggregations"]["ranges"]["buckets"]
        return {round(bucket["key"]): bucket["doc_count"] for bucket in buckets}

    def having(self, ids: Iterable[str], shard: int | None = None) -> list[Hit]:
        """The documents of these ids, at most :data:`IDS`, without their fields."""
        request = {
            "size": 5 * IDS,  # an id may be there under several routings
            "query": {"ids": {"values": list(ids)}},
            "seq_no_primary_term": True,
            "_source": False,
        }
        shards = self.checkpoints if shard is None else [shard]
        return [hit for one in shards for hit in self._search(one, request)["hits"]["hits"]]

    def count(self) -> int:
        """How many documents there are."""
        request = {"size": 0, "track_total_hits": True, "query": {"match_all": {}}}
        return sum(int(self._search(shard, request)["hits"]["total"]["value"]) for shard in self.checkpoints)

    def _pages(self, shard: int, after: int, upto: int, size: int, fields: Any) -> Iterator[list[Hit]]:
        while after < upto:
            hits = self._hits(shard, {"range": {"_seq_no": {"gt": after, "lte": upto}}}, size, fields)
            if hits:
                yield hits
                after = hits[-1]["_seq_no"]
            if len(hits) < size:
                return

    def _hits(self, shard: int, query: dict[str, Any], size: int, fields: Any = False) -> list[Hit]:
        request = {
            "size": size,
            "query": query,
            "sort": ["_seq_no"],
            "track_total_hits": False,
            "seq_no_primary_term": True,
            "version": True,
            "_source": fields,
        }
        hits: list[Hit] = self._search(shard, request)["hits"]["hits"]
        return hits

    def _search(self, shard: int, request: dict[str, Any]) -> Any:
        # an answer with a shard missing would look like documents missing
        whole = {"allow_partial_search_results": "false", "request_timeout": 120}
        if self._frozen:
            pit = {"id": self._frozen[shard], "keep_alive": _KEEP_ALIVE}
            return self._client.search(body={**request, "pit": pit}, params=whole)
        return self._client.search(index=self.index, body=request, params={**whole, "preference": _only(shard)})


def _only(shard: int) -> str:
    """The primary of one shard: a replica may be behind."""
    return f"_shards:{shard}|_primary"
