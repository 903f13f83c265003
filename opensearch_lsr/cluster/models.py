"""ML Commons models: find, deploy, predict, remove. How one gets there: register.py."""

from __future__ import annotations

import json
import time
import warnings
from dataclasses import dataclass
from typing import Any

from opensearchpy import OpenSearch
from opensearchpy.exceptions import AuthorizationException, NotFoundError, OpenSearchWarning, TransportError

from opensearch_lsr.cluster import tasks
from opensearch_lsr.cluster.connect import reason
from opensearch_lsr.errors import ClusterError, DeploymentError

GROUP = "opensearch-lsr"
USABLE = ("REGISTERED", "DEPLOYING", "DEPLOYED", "PARTIALLY_DEPLOYED", "DEPLOY_FAILED", "UNDEPLOYED")
SETTLED_WITHIN = 10.0  # seconds after a deployment's task
_MODELS_INDEX = ".plugins-ml-model"
_REFRESHED_WITHIN = 1.5  # seconds, by the cluster itself


@dataclass(frozen=True)
class Model:
    """A model as ML Commons lists it."""

    model_id: str
    name: str
    state: str


def find(client: OpenSearch, name: str) -> list[Model]:
    """Every model of that name, finished or not, the finished ones first."""
    _refresh(client)
    query = {
        "size": 100,
        "query": {
            "bool": {"filter": [{"term": {"name.keyword": name}}], "must_not": [{"exists": {"field": "chunk_number"}}]}
        },
        "_source": ["name", "model_state"],
    }
    return sorted(_search(client, query), key=lambda model: model.state not in USABLE)


def untouched(client: OpenSearch, since: str) -> list[Model]:
    """This package's models, finished or not, whose records were not changed for a while.

    Args:
        client: the cluster.
        since: how long, such as ``1h``.
    """
    _refresh(client)
    mine = [
        {"term": {"model_group_id": find_group(client) or ""}},
        {"range": {"last_updated_time": {"lt": f"now-{since}"}}},
    ]
    query = {
        "size": 1000,
        "query": {"bool": {"filter": mine, "must_not": [{"exists": {"field": "chunk_number"}}]}},
        "_source": ["name", "model_state"],
    }
    return _search(client, query)


def usable(client: OpenSearch, name: str) -> Model | None:
    """The model of that name whose upload was finished, if any."""
    models = find(client, name)
    return models[0] if models and models[0].state in USABLE else None


def deploy(client: OpenSearch, model: Model, timeout: float = 300) -> None:
    """Deploy a model and wait until every eligible node has it.

    Raises:
        ClusterError: with the reason ML Commons gave.
    """
    deadline, done = time.monotonic() + timeout, False
    while not done:
        if model.state == "DEPLOY_FAILED":  # ML Commons does not heal it
            client.plugins.ml.undeploy_model(model_id=model.model_id)
        task_id = client.plugins.ml.deploy_model(model_id=model.model_id).get("task_id")
        done = not task_id or tasks.wait(client, task_id, f"deploying model {model.name}", deadline)
        model = next((one for one in find(client, model.name) if one.model_id == model.model_id), model)
    deadline = time.monotonic() + SETTLED_WITHIN
    while time.monotonic() < deadline and any(one.state == "DEPLOYING" for one in find(client, model.name)):
        time.sleep(0.1)  # the task is done a moment before the model says so


@dataclass(frozen=True)
class Placement:
    """The nodes (by id) that should run a model, and those that do."""

    planned: frozenset[str]
    running: frozenset[str]

    @property
    def missing(self) -> frozenset[str]:
        return self.planned - self.running


def placement(client: OpenSearch, model: Model) -> Placement:
    """Where a model runs: as the nodes themselves say, since its recorded state outlives a node's restart."""
    record = client.plugins.ml.get_model(model_id=model.model_id)
    profile = client.transport.perform_request("GET", f"/_plugins/_ml/profile/models/{model.model_id}")
    running = {
        node
        for node, found in profile.get("nodes", {}).items()
        if found.get("models", {}).get(model.model_id, {}).get("model_state") == "DEPLOYED"
    }
    return Placement(frozenset(record.get("planning_worker_nodes", ())), frozenset(running))


def is_whole(model: Model, placed: Placement) -> bool:
    """Whether a model runs on every node that should run it."""
    return model.state == "DEPLOYED" and bool(placed.running) and not placed.missing


def last_deploy_error(client: OpenSearch, model: Model) -> str | None:
    """ML Commons' reason when the last deployment of a model failed."""
    _refresh(client, ".plugins-ml-task")
    mine = [{"term": {"model_id": model.model_id}}, {"term": {"task_type": "DEPLOY_MODEL"}}]
    query = {"size": 1, "sort": [{"create_time": "desc"}], "query": {"bool": {"filter": mine}}}
    try:
        found = client.transport.perform_request("POST", "/_plugins/_ml/tasks/_search", body=query)["hits"]["hits"]
    except NotFoundError:  # no task was ever run
        return None
    return tasks.error(found[0]["_source"]) if found and found[0]["_source"].get("error") else None


def predict(client: OpenSearch, model_id: str, function: str, texts: list[str]) -> list[dict[str, float]]:
    """Token → weight maps of texts, from the deployed model.

    Raises:
        ClusterError: when the answer is not a list of token → weight maps.
    """
    answer = client.transport.perform_request(
        "POST",
        f"/_plugins/_ml/_predict/{function.lower()}/{model_id}",
        body={"text_docs": texts},
        params={"request_timeout": 120},
    )
    try:
        outputs = [output["dataAsMap"] for result in answer["inference_results"] for output in result["output"]]
        return [vector for output in outputs for vector in output["response"]]
    except (KeyError, TypeError) as error:
        raise ClusterError(f"model {model_id}: not a sparse encoder's answer: {json.dumps(answer)[:200]}") from error


def remove(client: OpenSearch, model: Model, timeout: float = 60) -> None:
    """Undeploy and delete a model, and wait until it is gone."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            client.plugins.ml.undeploy_model(model_id=model.model_id)
        except TransportError as error:
            if error.status_code not in (400, 404):
                raise
        try:
            client.plugins.ml.delete_model(model_id=model.model_id)
            return
        except NotFoundError:
            return
        except AuthorizationException:
            raise
        except TransportError as error:  # still being undeployed
            if time.monotonic() > deadline:
                raise DeploymentError(f"model {model.name}: cannot be deleted: {reason(error)}") from error
            time.sleep(0.5)


def ensure_group(client: OpenSearch) -> str:
    """The id of the model group that holds this package's models, made if need be."""
    existing = find_group(client)
    if existing:
        return existing
    try:
        return str(
            client.plugins.ml.register_model_group(body={"name": GROUP, "description": "learned sparse retrieval"})[
                "model_group_id"
            ]
        )
    except TransportError:  # made a moment ago and not searchable yet
        existing = find_group(client)
        if existing is None:
            raise
        return existing


def find_group(client: OpenSearch) -> str | None:
    """The id of this package's model group, if it exists."""
    _refresh(client, ".plugins-ml-model-group")
    try:
        found = client.plugins.ml.search_model_group(body={"query": {"term": {"name.keyword": GROUP}}})["hits"]["hits"]
    except NotFoundError:
        return None
    return str(found[0]["_id"]) if found else None


def group_is_empty(client: OpenSearch, group_id: str) -> bool:
    """Whether no model is left in the group."""
    if not _refresh(client):
        time.sleep(_REFRESHED_WITHIN)
    query = {"size": 0, "query": {"term": {"model_group_id": group_id}}}
    answer = client.transport.perform_request("POST", "/_plugins/_ml/models/_search", body=query)
    return bool(answer["hits"]["total"]["value"] == 0)


def _search(client: OpenSearch, query: dict[str, Any]) -> list[Model]:
    try:
        hits = client.transport.perform_request("POST", "/_plugins/_ml/models/_search", body=query)["hits"]["hits"]
    except NotFoundError:  # no model was ever registered
        return []
    return [Model(hit["_id"], hit["_source"]["name"], hit["_source"].get("model_state", "")) for hit in hits]


def _refresh(client: OpenSearch, index: str = _MODELS_INDEX) -> bool:
    """Make what was just registered searchable; False where that is not permitted: there it is after a second."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OpenSearchWarning)  # a system index, and refreshing it is all we do
        answer = client.indices.refresh(index=index, ignore=[403, 404])
        return bool(answer.get("status") != 403)
