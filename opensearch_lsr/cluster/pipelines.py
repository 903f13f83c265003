"""The pipelines of an index: what is sent for them (``pipelines/*.json``), and what the cluster holds."""

from __future__ import annotations

from typing import Any

from opensearchpy import OpenSearch

from opensearch_lsr.cluster import templates
from opensearch_lsr.cluster.deployed import Deployed
from opensearch_lsr.cluster.names import ingest_pipeline, search_pipeline


def names(target: Deployed) -> list[tuple[str, str]]:
    """(kind, name) of each pipeline that a deployment has."""
    ingest = [("ingest", ingest_pipeline(target.index))] if target.meta["encode"] == "cluster" else []
    return [*ingest, ("search", search_pipeline(target.index))]


def stored(client: OpenSearch, kind: str, name: str) -> dict[str, Any] | None:
    """A pipeline as the cluster holds it; None when there is none of that name."""
    found: dict[str, Any] = client.transport.perform_request("GET", _path(kind, name), params={"ignore": 404})
    return found.get(name)


def put(client: OpenSearch, kind: str, name: str, body: dict[str, Any]) -> None:
    """Make a pipeline, or replace it."""
    client.transport.perform_request("PUT", _path(kind, name), body=body)


def delete(client: OpenSearch, index: str, kind: str, name: str) -> None:
    """Unbind the pipeline first: an ingest pipeline that is an index's default cannot be deleted."""
    client.indices.put_settings(index=index, body={binding(kind): "_none"})
    client.transport.perform_request("DELETE", _path(kind, name), params={"ignore": 404})


def binding(kind: str) -> str:
    """The index setting that makes a pipeline the index's default."""
    return "index.default_pipeline" if kind == "ingest" else "index.search.default_pipeline"


def body(target: Deployed, kind: str, model_id: str | None) -> dict[str, Any]:
    """What a deployment sends for its pipeline.

    Args:
        target: the deployment.
        kind: ``ingest`` or ``search``.
        model_id: of :meth:`Deployed.pipeline_model`.
    """
    return (_ingest if kind == "ingest" else _search)(target, model_id)


def _ingest(target: Deployed, model_id: str | None) -> dict[str, Any]:
    filled = templates.load(
        "ingest",
        model=target.document_model,
        model_id=model_id,
        fields=" + ".join(target.fields),
        field_list=target.fields,
        document_key=target.document_key,
    )
    if target.chunk:
        by_chunk = templates.load("ingest-chunks", model_id=model_id, size=target.chunk)
        filled["processors"][1:2] = by_chunk["processors"]
    if target.prune:
        (encoding,) = (one["sparse_encoding"] for one in filled["processors"] if "sparse_encoding" in one)
        encoding.update(target.prune.processor())
    return filled


def _search(target: Deployed, model_id: str | None) -> dict[str, Any]:
    filled = templates.load("search", model=target.document_model)
    if model_id:
        filled["request_processors"].append(templates.load("search-enricher", model_id=model_id))
    if target.meta["two_phase"]:
        filled["request_processors"].append(templates.load("search-two-phase"))
    return filled


def _path(kind: str, name: str) -> str:
    return f"/_{kind}/pipeline/{name}"
