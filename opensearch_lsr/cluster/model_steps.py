"""The steps that bring one model into the cluster: uploaded, on the nodes, and giving what the bundle gives here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from opensearchpy import OpenSearch

from opensearch_lsr.cluster import indices, models, probe, register
from opensearch_lsr.cluster.deployment import Deployment
from opensearch_lsr.errors import DeploymentError


@dataclass(frozen=True)
class Step:
    """One resource: ``pending`` says what would be done (None: nothing), ``apply`` does it."""

    title: str
    pending: Callable[[], str | None]
    apply: Callable[[], None]


def model_steps(
    client: OpenSearch,
    wish: Deployment,
    name: str,
    function: str,
    files: dict[str, Path],
    check: probe.Check,
    on_progress: Callable[[str, int, int], None],
) -> Iterator[Step]:
    """Steps for one of the wish's models.

    Args:
        client: the cluster.
        wish: what should be deployed.
        name: the model's.
        function: ``SPARSE_ENCODING`` or ``SPARSE_TOKENIZE``.
        files: name in the model's zip → file.
        check: compares its predictions with the bundle's.
        on_progress: called with (what, bytes done, bytes in all) during uploads.
    """
    uploaded = False

    def upload_pending() -> str | None:
        return None if models.usable(client, name) else f"upload ({function})"

    def upload() -> None:
        nonlocal uploaded
        uploaded = True
        with register.pack(files) as archive:
            version = wish.bundle.config.version
            register.register(
                client, name, version, function, archive, lambda done, total: on_progress("upload", done, total)
            )

    def deploy_pending() -> str | None:
        model = models.usable(client, name)
        return None if model and models.is_whole(model, models.placement(client, model)) else "deploy"

    def deploy() -> None:
        models.deploy(client, _present(client, name))

    def probe_pending() -> str | None:
        first = indices.existing_meta(client, wish.index) is None
        return "compare predictions with the local encoder" if first or uploaded else None

    def compare() -> None:
        model = _present(client, name)
        try:
            check(wish.bundle, lambda texts: models.predict(client, model.model_id, function, texts), name)
        except DeploymentError:
            for found in models.find(client, name):  # else the next run would take it for good
                models.remove(client, found)
            raise

    yield Step(f"model {name}", upload_pending, upload)
    yield Step(f"model {name} on the nodes", deploy_pending, deploy)
    yield Step(f"probe of {name}", probe_pending, compare)


def _present(client: OpenSearch, name: str) -> models.Model:
    model = models.usable(client, name)
    if model is None:
        raise DeploymentError(f"model {name} vanished while it was deployed; run deploy again")
    return model
