"""Taking over the documents of an existing index: read there, encoded, written to the new index, all or none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opensearchpy import OpenSearch

from opensearch_lsr.cluster import bulk, indices
from opensearch_lsr.cluster.alias import serves
from opensearch_lsr.cluster.deployment import Deployed, Deployment
from opensearch_lsr.data.documents import Reject
from opensearch_lsr.errors import DeploymentError


def pending(client: OpenSearch, wish: Deployment, source: str) -> str | None:
    """What copying would do; None when the index holds what the source holds, or serves its copy already."""
    meta = indices.existing_meta(client, wish.index) or {}
    if meta.get("copied_from") == source and (
        serves(client, wish) or meta["copied_changes"] == _changes(client, source)
    ):
        return None
    return f"encode {client.count(index=source)['count']:,} documents into {wish.index}"


def copy(client: OpenSearch, wish: Deployment, source: str, on_progress: Callable[[str, int, int], None]) -> None:
    """Copy and encode every document; the alias is to be moved only after this returned.

    Raises:
        DeploymentError: when a document was refused, or the source was written to meanwhile.
    """
    meta = indices.existing_meta(client, wish.index) or wish.meta()
    target = Deployed(wish.alias, wish.index, meta)
    encoder = bulk.document_encoder(target, str(wish.bundle.path)) if wish.encode == "client" else None
    client.indices.refresh(index=source)
    total, changes = client.count(index=source)["count"], _changes(client, source)
    indices.put_meta(client, wish.index, {**meta, "copying_from": source})
    if not serves(client, wish):  # what an interrupted copy left may have been deleted from the source since
        client.indices.refresh(index=wish.index)
        everything: dict[str, Any] = {"query": {"match_all": {}}}
        client.delete_by_query(index=wish.index, body=everything, refresh=True, conflicts="proceed")
    rejects: list[Reject] = []
    documents = bulk.scan(client, source)
    bulk.load(client, target, documents, encoder, lambda r: on_progress("documents", r.read, total), rejects.append)
    if rejects:
        raise DeploymentError(
            f"{source}: {len(rejects)} of {total} documents were refused (first: {rejects[0]}); "
            "the alias was not moved; mend them and run deploy again"
        )
    if _changes(client, source) != changes:
        raise DeploymentError(
            f"{source}: was written to while its documents were copied, and those writes are not in {wish.index}; "
            "the alias was not moved; stop the writes and run deploy again"
        )
    indices.put_meta(client, wish.index, {**meta, "copied_from": source, "copied_changes": changes})


def _changes(client: OpenSearch, index: str) -> int:
    """A number that grows with every write to an index: the sum of its primaries' sequence numbers."""
    shards = client.indices.stats(index=index, level="shards")["indices"]
    copies = [copy for body in shards.values() for shard in body["shards"].values() for copy in shard]
    return sum(int(copy["seq_no"]["max_seq_no"]) for copy in copies if copy["routing"]["primary"])
