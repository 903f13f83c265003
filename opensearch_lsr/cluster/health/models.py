"""Each model that a deployment needs, node by node; and deploying it again where that was asked for."""

from __future__ import annotations

import time
from collections.abc import Iterator

from opensearchpy import OpenSearch
from opensearchpy.exceptions import TransportError

from opensearch_lsr.cluster import models
from opensearch_lsr.cluster.connect import reason
from opensearch_lsr.cluster.deployed import Deployed
from opensearch_lsr.cluster.health.check import Check, deploy_again
from opensearch_lsr.cluster.preflight import Finding
from opensearch_lsr.errors import ClusterError

ATTEMPTS = 3  # at deploying a model
PAUSE = 1.0  # seconds after a failed attempt, doubling: a breaker may close when garbage is collected


def on_the_nodes(client: OpenSearch, target: Deployed, repair: bool) -> Iterator[Check]:
    """A line for each model that is needed.

    Args:
        client: the cluster.
        target: the deployment.
        repair: deploy what is not on every planned node, :data:`ATTEMPTS` times at most.
    """
    needed = [name for name, is_needed in target.models.items() if is_needed]
    for name in needed:
        model = models.usable(client, name)
        if model is None:
            problem = f"model {name} is {'not wholly uploaded' if models.find(client, name) else 'missing'}"
            yield Check(f"model {name}", "missing", [Finding(problem, deploy_again(target))])
        else:
            yield _deployed(client, target, model, repair)
    if not needed:
        yield Check("models", "none is needed in the cluster")


def _deployed(client: OpenSearch, target: Deployed, model: models.Model, repair: bool) -> Check:
    placed, error, repaired = models.placement(client, model), None, False
    if repair and not models.is_whole(model, placed):
        error = _repair(client, model)
        repaired = error is None
        model = models.usable(client, model.name) or model
        placed = models.placement(client, model)
    names = {row["id"]: row["name"] for row in client.cat.nodes(format="json", h="id,name", full_id=True)}
    running, missing = (sorted(names.get(node, node) for node in ids) for ids in (placed.running, placed.missing))
    seen = f"{model.state}, runs on {', '.join(running) or 'no node'}"
    numbers = {"state": model.state, "running_on": running, "missing_on": missing, "repaired": repaired}
    if models.is_whole(model, placed):
        return Check(f"model {model.name}", f"{seen}; deployed just now" if repaired else seen, (), numbers)
    error = error or models.last_deploy_error(client, model)
    problem = f"model {model.name} is {seen}"
    problem += f", not on {', '.join(missing)}" if missing else ""
    problem += f" ({error})" if error else ""
    tried = f"{ATTEMPTS} attempts failed; mend the reason first, then: " if repair else ""
    remedy = f"{tried}opensearch-lsr doctor --alias {target.alias} --repair"
    return Check(f"model {model.name}", seen, [Finding(problem, remedy)], numbers)


def _repair(client: OpenSearch, model: models.Model) -> str | None:
    """Deploy a model; the last attempt's reason when none succeeded."""
    error = None
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(PAUSE * 2 ** (attempt - 1))
        try:
            models.deploy(client, models.usable(client, model.name) or model)
            return None
        except ClusterError as failure:
            error = str(failure)
        except TransportError as failure:
            if not isinstance(failure.status_code, int):  # no answer at all
                raise
            error = reason(failure)
    return error
