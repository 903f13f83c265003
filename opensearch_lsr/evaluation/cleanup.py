"""Taking away all that a run made in a cluster, found by its names, whatever was killed when.

Only ever one run's: on a shared cluster another may be under way.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

from opensearchpy import OpenSearch
from opensearchpy.exceptions import NotFoundError, OpenSearchWarning

from opensearch_lsr.cluster import models, query_side, status
from opensearch_lsr.cluster.connect import readable_errors
from opensearch_lsr.cluster.models import Model
from opensearch_lsr.evaluation.asking import address
from opensearch_lsr.evaluation.context import names_of
from opensearch_lsr.query_encoder import TOKEN_WEIGHTS_INDEX


def cleanup(client: OpenSearch, run: str, collection: str | None = None) -> list[str]:
    """Remove a run's indices with their aliases, its pipelines, models and token weights.

    What a deployment of an application uses stays: its token weights, for example, where the encoder is the same.

    Args:
        client: the cluster.
        run: its name.
        collection: only what it made for this collection, and what nothing else uses.

    Returns:
        The names of what was removed.

    Raises:
        ClusterError: when the cluster refuses or stops answering.
    """
    start = names_of(run, collection)
    with readable_errors(address(client)):
        removed = list(_indices(client, start)) + list(_pipelines(client, start))
        if not collection:
            removed += list(_models(client, start)) + list(_token_weights(client, start))
    return removed


def _indices(client: OpenSearch, start: str) -> Iterator[str]:
    for index, body in client.indices.get_mapping(index=f"{start}*").items():
        if body["mappings"].get("_meta", {}).get("lsr"):
            yield from (removal.name for removal in status.undeploy(client, index))
        else:
            client.indices.delete(index=index, ignore=404)
            yield index


def _pipelines(client: OpenSearch, start: str) -> Iterator[str]:
    """Those whose index a killed deployment did not come to make."""
    for kind in ("ingest", "search"):
        found: dict[str, Any] = client.transport.perform_request("GET", f"/_{kind}/pipeline", params={"ignore": 404})
        for name in found:
            if name.startswith(f"lsr-{start}"):
                client.transport.perform_request("DELETE", f"/_{kind}/pipeline/{name}", params={"ignore": 404})
                yield name


def _models(client: OpenSearch, start: str) -> Iterator[str]:
    query = {
        "bool": {"must": [{"prefix": {"name.keyword": start}}], "must_not": [{"exists": {"field": "chunk_number"}}]}
    }
    request = {"size": 1000, "query": query, "_source": ["name", "model_state"]}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OpenSearchWarning)  # a system index, and refreshing it is all we do
            client.indices.refresh(index=".plugins-ml-model", ignore=[403, 404])
        found = client.transport.perform_request("POST", "/_plugins/_ml/models/_search", body=request)["hits"]["hits"]
    except NotFoundError:  # no model was ever registered, or ML Commons is not there
        return
    for hit in found:
        models.remove(client, Model(hit["_id"], hit["_source"]["name"], hit["_source"].get("model_state", "")))
        yield hit["_source"]["name"]
    group = models.find_group(client) if found else None
    if group and models.group_is_empty(client, group):
        client.plugins.ml.delete_model_group(model_group_id=group)
        yield models.GROUP


def _token_weights(client: OpenSearch, start: str) -> Iterator[str]:
    query = {"query": {"prefix": {"name": start.removeprefix("lsr-")}}, "_source": False, "size": 1000}
    for hit in client.search(index=TOKEN_WEIGHTS_INDEX, body=query, ignore=404).get("hits", {}).get("hits", []):
        if status.table_is_unused(client, hit["_id"], index=""):
            query_side.remove(client, hit["_id"])
            yield f"{TOKEN_WEIGHTS_INDEX}/{hit['_id'][:8]}"
