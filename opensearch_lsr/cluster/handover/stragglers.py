"""Documents that the former encoder encoded while the alias moved.

OpenSearch looks up the pipeline of an alias when a write arrives, and its index when the pipeline is done: a write that
is under way at the swap comes to the new index with a vector of the old one's encoder. Its marker says so.
"""

from __future__ import annotations

import time
from typing import Any

from opensearchpy import OpenSearch

from opensearch_lsr.cluster import alias, indices, names
from opensearch_lsr.cluster.deployed import Deployed
from opensearch_lsr.cluster.deployment import MODEL_FIELD
from opensearch_lsr.cluster.handover.record import Record

IDLE = 1.0  # seconds without a document in a pipeline, after which no write is thought to be under way to it
_WAIT = 60.0


def wait_until_idle(client: OpenSearch, pipeline: str) -> None:
    """Until an ingest pipeline that nothing leads to any more has no document left, or a minute is over."""
    deadline = time.monotonic() + _WAIT
    busy = time.monotonic()
    while time.monotonic() < min(deadline, busy + IDLE):
        nodes = client.nodes.stats(metric="ingest", ignore=403).get("nodes", {})  # who may not ask waits a second
        if any(node["ingest"]["pipelines"].get(pipeline, {}).get("current") for node in nodes.values()):
            busy = time.monotonic()
        time.sleep(0.1)


def unsettled(client: OpenSearch, target: Deployed) -> Record | None:
    """What an index took over when nobody looked for stragglers after the swap yet."""
    if not client.indices.exists(index=target.index) or alias.is_under_way(client, target.index):
        return None
    record = Record.of(indices.lsr_meta(client, target.index))
    return record if record and record.at and not record.finished else None


def settle(client: OpenSearch, target: Deployed) -> None:
    """End a handover after its swap, where that was not done; a run may have been killed there."""
    record = unsettled(client, target)
    if record is None:
        return
    if client.indices.exists(index=record.index) and indices.lsr_meta(client, record.index).get("encode") == "cluster":
        wait_until_idle(client, names.ingest_pipeline(record.index))
    if target.meta["encode"] == "cluster":
        _encode_anew(client, target)
    record.finished = True
    record.save(client, target.index)


def _encode_anew(client: OpenSearch, target: Deployed) -> None:
    """Send the documents with vectors of another encoder through the index's pipeline again."""
    client.indices.refresh(index=target.index)
    client.update_by_query(
        index=target.index,
        body=_of_others(target),
        pipeline=names.ingest_pipeline(target.index),
        conflicts="proceed",  # written anew in the meantime
        refresh=True,
        request_timeout=600,
    )


def _of_others(target: Deployed) -> dict[str, Any]:
    own = {"term": {MODEL_FIELD: target.document_key}}
    return {"query": {"bool": {"filter": [{"exists": {"field": MODEL_FIELD}}], "must_not": [own]}}}
