"""What stands behind an alias, and taking exactly that away again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from opensearchpy import OpenSearch
from opensearchpy.exceptions import NotFoundError

from opensearch_lsr.cluster import models, query_side
from opensearch_lsr.cluster.deployment import (
    MODEL_FIELD,
    Deployed,
    deployed,
    document_model_name,
    ingest_pipeline_name,
    query_model_name,
    search_pipeline_name,
)


@dataclass(frozen=True)
class Resource:
    """One thing in the cluster that belongs to a deployment, and its state."""

    kind: str
    name: str
    state: str

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True)
class Removal:
    """One thing that ``undeploy`` takes away."""

    kind: str
    name: str
    apply: Callable[[], Any]


def resources(client: OpenSearch, alias: str) -> list[Resource]:
    """Everything behind an alias with its state.

    Raises:
        DeploymentError: when the alias is not this package's.
    """
    target = deployed(client, alias)
    client.indices.refresh(index=target.index)
    count = client.count(index=target.index)["count"]
    with_vector = client.count(index=target.index, body={"query": {"term": {MODEL_FIELD: target.document_key}}})[
        "count"
    ]
    found = [
        Resource("alias", alias, f"→ {target.index}"),
        Resource("index", target.index, f"{count:,} documents, {with_vector:,} with vectors of {target.document_key}"),
        Resource(
            "encoder", f"{target.meta['name']} {target.meta['version']}", f"encoded by the {target.meta['encode']}"
        ),
    ]
    for name, needed in _model_names(target).items():
        model = next(iter(models.find(client, name)), None)
        if model or needed:
            found.append(Resource("model", name, model.state if model else "missing"))
    if target.meta["query"] == "table":
        fingerprint = target.meta["query_fingerprint"]
        found.append(Resource("token weights", fingerprint[:8], query_side.state(client, fingerprint)))
    for kind, name in _pipelines(target):
        found.append(Resource(f"{kind} pipeline", name, "present" if _exists(client, kind, name) else "missing"))
    return found


def removals(client: OpenSearch, alias: str) -> Iterator[Removal]:
    """What was deployed for an alias, in the order of taking it away; what another deployment still uses stays.

    Raises:
        DeploymentError: when the alias is not this package's.
    """
    target = deployed(client, alias)
    others = [meta for index, meta in _deployments(client).items() if index != target.index]
    if client.indices.exists_alias(name=alias):
        yield Removal("alias", alias, lambda: client.indices.delete_alias(index=target.index, name=alias))
    for kind, name in _pipelines(target):
        if _exists(client, kind, name):
            yield Removal(f"{kind} pipeline", name, lambda k=kind, n=name: _delete_pipeline(client, target.index, k, n))  # type: ignore[misc]
    kept = {name for meta in others for name, needed in _model_names(Deployed("", "", meta)).items() if needed}
    for name in _model_names(target):
        for model in models.find(client, name) if name not in kept else ():
            yield Removal("model", name, lambda m=model: models.remove(client, m))  # type: ignore[misc]
    if not kept and (group := models.find_group(client)):
        yield Removal("model group", models.GROUP, lambda: _delete_group(client, group))
    fingerprint = target.meta["query_fingerprint"]
    if target.meta["query"] == "table" and table_is_unused(client, fingerprint, target.index):
        yield Removal("token weights", fingerprint[:8], lambda: query_side.remove(client, fingerprint))
    # last: its _meta is what a rerun after a kill reads
    yield Removal("index", target.index, lambda: client.indices.delete(index=target.index))


def undeploy(client: OpenSearch, alias: str) -> list[Removal]:
    """Remove what was deployed for an alias (or, after an interrupted undeploy, for its index).

    Returns:
        What was removed.

    Raises:
        DeploymentError: when the alias is not this package's.
    """
    done = list(removals(client, alias))
    for removal in done:
        removal.apply()
    return done


def table_is_unused(client: OpenSearch, fingerprint: str, index: str) -> bool:
    """Whether no deployment but that of ``index`` uses the token weights."""
    return all(m["query_fingerprint"] != fingerprint for i, m in _deployments(client).items() if i != index)


def _deployments(client: OpenSearch) -> dict[str, dict[str, Any]]:
    mappings = client.indices.get_mapping(index="*", expand_wildcards="all")
    metas = {index: body["mappings"].get("_meta", {}).get("lsr") for index, body in mappings.items()}
    return {index: meta for index, meta in metas.items() if meta}


def _model_names(target: Deployed) -> dict[str, bool]:
    """The names of the models a deployment may have made, and whether it needs them as it is deployed now."""
    meta = target.meta
    document_model = document_model_name(meta["name"], meta["document_fingerprint"])
    names = {document_model: meta["encode"] == "cluster" or meta["query"] == "encoder"}
    if meta["query"] == "table":
        names[query_model_name(meta["name"], meta["query_fingerprint"])] = meta["query_mode"] == "model"
    return names


def _pipelines(target: Deployed) -> list[tuple[str, str]]:
    ingest = [("ingest", ingest_pipeline_name(target.index))] if target.meta["encode"] == "cluster" else []
    return [*ingest, ("search", search_pipeline_name(target.index))]


def _exists(client: OpenSearch, kind: str, name: str) -> bool:
    return name in client.transport.perform_request("GET", f"/_{kind}/pipeline/{name}", params={"ignore": 404})


def _delete_pipeline(client: OpenSearch, index: str, kind: str, name: str) -> None:
    """Unbind the pipeline first: an ingest pipeline that is an index's default cannot be deleted."""
    setting = "index.default_pipeline" if kind == "ingest" else "index.search.default_pipeline"
    client.indices.put_settings(index=index, body={setting: "_none"})
    client.transport.perform_request("DELETE", f"/_{kind}/pipeline/{name}", params={"ignore": 404})


def _delete_group(client: OpenSearch, group: str) -> None:
    if models.group_is_empty(client, group):
        try:
            client.plugins.ml.delete_model_group(model_group_id=group)
        except NotFoundError:
            return
