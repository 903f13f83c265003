"""Everything in a cluster that a deployment can make, as one comparable value."""

from __future__ import annotations

import json
from typing import Any

from opensearchpy import OpenSearch

from opensearch_lsr.cluster import models


def snapshot(client: OpenSearch) -> dict[str, Any]:
    """Indices with mappings and settings, aliases, pipelines, models, groups; random ids replaced by names."""
    found = client.indices.get(index="*", expand_wildcards="all")
    indices = {name: _index(body) for name, body in found.items() if not name.startswith((".", "top_queries"))}
    listed = [{"id": m, "name": n, "state": s} for m, n, s in all_models(client)]
    state = {
        "indices": indices,
        "ingest": client.transport.perform_request("GET", "/_ingest/pipeline", params={"ignore": 404}),
        "search": client.transport.perform_request("GET", "/_search/pipeline", params={"ignore": 404}),
        "models": sorted((model["name"], model["state"]) for model in listed),
        "group": models.find_group(client) is not None,
    }
    text = json.dumps(state, sort_keys=True)
    for model in listed:
        text = text.replace(model["id"], model["name"])
    result: dict[str, Any] = json.loads(text)
    return result


def all_models(client: OpenSearch) -> list[tuple[str, str, str]]:
    """(id, name, state) of every model, finished or not."""
    names = set()
    client.indices.refresh(index=".plugins-ml-model", ignore=404)
    answer = client.transport.perform_request(
        "POST",
        "/_plugins/_ml/models/_search",
        body={
            "size": 1000,
            "_source": ["name"],
            "query": {"bool": {"must_not": {"exists": {"field": "chunk_number"}}}},
        },
        params={"ignore": 404},
    )
    for hit in answer.get("hits", {}).get("hits", []):
        names.add(hit["_source"]["name"])
    return [(m.model_id, m.name, m.state) for name in sorted(names) for m in models.find(client, name)]


def _index(body: dict[str, Any]) -> dict[str, Any]:
    settings = {k: v for k, v in body["settings"]["index"].items() if k not in ("uuid", "creation_date")}
    return {"settings": settings, "mappings": body["mappings"], "aliases": body["aliases"]}
