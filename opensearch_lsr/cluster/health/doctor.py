"""The doctor: everything that is looked at, in the order of the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from opensearchpy import OpenSearch
from opensearchpy.exceptions import AuthorizationException, TransportError

from opensearch_lsr.cluster import bulk, query_side
from opensearch_lsr.cluster.connect import reason
from opensearch_lsr.cluster.deployed import Deployed, deployed
from opensearch_lsr.cluster.features import Feature, Needs, needed_by
from opensearch_lsr.cluster.health import agreement, documents, models, nodes, postings, sample, settings, tokens
from opensearch_lsr.cluster.health.check import Check, unknown
from opensearch_lsr.cluster.preflight import Finding
from opensearch_lsr.cluster.transport import patience

Look = Callable[[], Iterator[Check]]
SAMPLE = 1000  # documents
ASKED_AGAIN = 5.0  # seconds; what is wrong is to be known now


def examine(
    client: OpenSearch,
    alias: str | None = None,
    *,
    size: int | None = SAMPLE,
    repair: bool = False,
    bundle: str | None = None,
    on_progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> list[Check]:
    """Look at a cluster, and at what an alias serves.

    Args:
        client: the cluster.
        alias: what was deployed; None looks at the cluster only.
        size: how many documents to look at, at random; None for all.
        repair: deploy models that are not on their nodes, and restore the settings that a killed load left.
        bundle: the deployed bundle, for its tokenizer where the cluster has none (bi-encoders).
        on_progress: called with ("documents", done, total).

    Returns:
        A line a subject; what one of them may not see or cannot see leaves the others as they are.

    Raises:
        DeploymentError: when the alias is not this package's, or the bundle is another one than was deployed.
    """
    with patience(client, ASKED_AGAIN):
        return _examine(client, alias, size, repair, bundle, on_progress)


def _examine(
    client: OpenSearch,
    alias: str | None,
    size: int | None,
    repair: bool,
    bundle: str | None,
    on_progress: Callable[[str, int, int], None],
) -> list[Check]:
    target = deployed(client, alias) if alias else None
    tokenizer = bulk.fitting_bundle(target, bundle).tokenizer if target and bundle else None
    needs = _needs(client, target)
    checks = _looked("version", lambda: nodes.versions(client, needs))
    checks += _looked("plugins", lambda: nodes.plugins(client, needs))
    checks += _looked("settings", lambda: nodes.settings(client, needs))
    checks += _looked("breakers", lambda: nodes.open_breakers(client, needs))
    if target is None:
        return checks
    checks += _looked("models", lambda: models.on_the_nodes(client, target, repair))
    checks += _looked("refreshes and replicas", lambda: settings.of_loading(client, target, repair))
    checks += _looked("pipelines", lambda: agreement.of_pipelines(client, target))
    checks += _looked("token weights", lambda: tokens.weights(client, target))
    checks += _looked("query tokens", lambda: tokens.agreement(client, target))
    checks += _looked("vectors", lambda: documents.vectors(client, target))
    if tokenizer is None and target.meta["query"] == "table":
        tokenizer = query_side.tokenizer(client, target.meta["query_fingerprint"])

    def sampled() -> Iterator[Check]:
        taken = sample.take(client, target, tokenizer, size, on_progress)
        yield from documents.stale(target, taken)
        yield from documents.without_short(target, taken)
        yield from documents.truncated(target, taken)
        yield from postings.outliers(taken)

    return checks + _looked("documents", sampled)


def _looked(what: str, look: Look) -> list[Check]:
    """A subject's lines, or the one that says why there are none."""
    try:
        return list(look())
    except AuthorizationException as error:
        return [unknown(what, f"not permitted ({reason(error)})")]
    except TransportError as error:
        if not isinstance(error.status_code, int):  # no answer: nothing else would get one
            raise
        return [Check(what, "not known", [Finding(f"{what}: {reason(error)}", "look at the node's log")])]


def _needs(client: OpenSearch, target: Deployed | None) -> Needs:
    """What the deployment needs of the cluster; without one, whatever its plugins offer."""
    if target is None:
        plugins = {row["component"] for row in client.cat.plugins(format="json", h="component")}
        return {Feature.QUERY_TOKENS} | {one for one in (Feature.MODELS,) if one.plugin in plugins}
    return needed_by(target.meta)
