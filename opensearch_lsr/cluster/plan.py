"""The steps from a bundle to a searchable alias. Each looks first and makes only what is missing, so that a plan can be
printed, applied twice, or applied again after it was killed anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from opensearchpy import OpenSearch

from opensearch_lsr.bundle import TABLE, TOKENIZER
from opensearch_lsr.cluster import (
    alias,
    indices,
    models,
    preflight,
    probe,
    query_side,
    register,
    status,
    takeover,
    templates,
)
from opensearch_lsr.cluster.deployment import Deployment
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.errors import DeploymentError

_ENCODE, _TOKENIZE = "SPARSE_ENCODING", "SPARSE_TOKENIZE"
_NOT_YET = "<id of the model>"


@dataclass(frozen=True)
class Step:
    """One resource: ``pending`` says what would be done (None: nothing), ``apply`` does it."""

    title: str
    pending: Callable[[], str | None]
    apply: Callable[[], None]


class Plan:
    """The plan for one wish.

    Args:
        client: the cluster.
        wish: what should be deployed.
        on_progress: called with (what, done, total) during uploads and copies.
    """

    def __init__(
        self,
        client: OpenSearch,
        wish: Deployment,
        on_progress: Callable[[str, int, int], None] = lambda what, n, total: None,
    ) -> None:
        self.client, self.wish, self._on_progress = client, wish, on_progress
        self._fresh: set[str] = set()  # models uploaded by this plan
        self.steps = list(self._steps())

    def preflight(self, change_settings: bool = False) -> list[str]:
        """Check the bundle, the cluster and what is there already; returns the cluster settings that were changed.

        Raises:
            BundleError: when the bundle's files are not what was exported.
            PreflightError: when the cluster lacks something.
            DeploymentError: when what exists does not fit.
        """
        self.wish.bundle.verify()
        changed = preflight.require(self.client, self.wish.needs, change_settings)
        self._check_existing()
        alias.check(self.client, self.wish)
        if not self.client.indices.exists(index=self.wish.index):
            indices.body(self.client, self.wish)
        if self.wish.needs.models:
            DocumentEncoder(self.wish.bundle)  # the probe needs it, and a graph that fails here fails there
        return changed

    def pending(self) -> Iterator[tuple[Step, str]]:
        """The steps that have something to do, each inspected when its turn comes."""
        for step in self.steps:
            action = step.pending()
            if action is not None:
                yield step, action

    def _steps(self) -> Iterator[Step]:
        wish = self.wish
        files = {"model.onnx": wish.bundle.onnx, TOKENIZER: wish.bundle.path / TOKENIZER}
        table = {TOKENIZER: wish.bundle.path / TOKENIZER, TABLE: wish.bundle.path / TABLE}
        bi_encoder = wish.bundle.config.query == "encoder"
        if wish.encode == "cluster" or bi_encoder:
            yield from self._model_steps(wish.model_name, _ENCODE, files, probe.documents)
        if not bi_encoder:
            yield Step("token weights", self._weights_pending, lambda: query_side.store(self.client, wish.bundle))
        if wish.query_mode == "model":
            yield from self._model_steps(wish.query_model_name, _TOKENIZE, table, probe.queries)
        if wish.encode == "cluster":
            yield self._pipeline_step("ingest", wish.ingest_pipeline, self._ingest_body)
        yield self._pipeline_step("search", wish.search_pipeline, self._search_body)
        yield Step(f"index {wish.index}", self._index_pending, self._apply_index)
        if source := wish.source_index:
            yield Step(
                f"documents of {source}",
                lambda: takeover.pending(self.client, wish, source),
                lambda: takeover.copy(self.client, wish, source, self._on_progress),
            )
        yield Step(
            f"alias {wish.alias}",
            lambda: alias.move_pending(self.client, wish),
            lambda: alias.move(self.client, wish),
        )

    # models

    def _model_steps(self, name: str, function: str, files: dict[str, Any], check: probe.Check) -> Iterator[Step]:
        client, bundle = self.client, self.wish.bundle

        def upload_pending() -> str | None:
            return None if models.usable(client, name) else f"upload ({function})"

        def upload() -> None:
            self._fresh.add(name)
            with register.pack(files) as archive:
                register.register(
                    client,
                    name,
                    bundle.config.version,
                    function,
                    archive,
                    lambda done, total: self._on_progress("upload", done, total),
                )

        def deploy_pending() -> str | None:
            model = models.usable(client, name)
            return None if model and model.state == "DEPLOYED" else "deploy"

        def deploy() -> None:
            model = models.usable(client, name)
            if model is None:
                raise DeploymentError(f"model {name} vanished while it was deployed; run deploy again")
            models.deploy(client, model)

        def probe_pending() -> str | None:
            first = indices.existing_meta(client, self.wish.index) is None
            return "compare predictions with the local encoder" if first or name in self._fresh else None

        def compare() -> None:
            try:
                check(bundle, lambda texts: models.predict(client, self._model_id(name), function, texts), name)
            except DeploymentError:
                for model in models.find(client, name):  # else the next run would take it for good
                    models.remove(client, model)
                raise

        yield Step(f"model {name}", upload_pending, upload)
        yield Step(f"model {name} on the nodes", deploy_pending, deploy)
        yield Step(f"probe of {name}", probe_pending, compare)

    def _model_id(self, name: str) -> str:
        model = models.usable(self.client, name)
        return model.model_id if model else _NOT_YET

    # token weights and pipelines

    def _weights_pending(self) -> str | None:
        stored = query_side.is_stored(self.client, self.wish.bundle.config.query_fingerprint)
        return None if stored else "store the table and the tokenizer in lsr-token-weights"

    def _pipeline_step(self, kind: str, name: str, body: Callable[[], dict[str, Any]]) -> Step:
        path = f"/_{kind}/pipeline/{name}"

        def pending() -> str | None:
            found = self.client.transport.perform_request("GET", path, params={"ignore": 404}).get(name)
            if found == body():
                return None
            return "update" if found else "create"

        return Step(
            f"{kind} pipeline {name}", pending, lambda: self.client.transport.perform_request("PUT", path, body=body())
        )

    def _ingest_body(self) -> dict[str, Any]:
        wish = self.wish
        body = templates.load(
            "ingest",
            model=wish.model_name,
            model_id=self._model_id(wish.model_name),
            fields=" + ".join(wish.fields),
            field_list=list(wish.fields),
            document_key=wish.bundle.document_key,
        )
        if wish.prune:
            body["processors"][1]["sparse_encoding"].update(wish.prune.processor())
        return body

    def _search_body(self) -> dict[str, Any]:
        wish = self.wish
        body = templates.load("search", model=wish.model_name)
        if wish.bundle.config.query == "encoder":
            body["request_processors"].append(
                templates.load("search-enricher", model_id=self._model_id(wish.model_name))
            )
        elif wish.query_mode == "model":
            body["request_processors"].append(
                templates.load("search-enricher", model_id=self._model_id(wish.query_model_name))
            )
        if wish.two_phase:
            body["request_processors"].append(templates.load("search-two-phase"))
        return body

    # index

    def _check_existing(self) -> None:
        """Refuse what would mix vectors; `fields` and `encode` say what is in the index."""
        meta = indices.existing_meta(self.client, self.wish.index)
        wanted = self.wish.meta()
        for key in ("name", "document_fingerprint", "fields", "encode", "prune") if meta else ():
            if meta and meta[key] != wanted[key]:
                raise DeploymentError(
                    f"{self.wish.index}: was deployed with {key} {meta[key]}, asked is {wanted[key]}; "
                    "choose another alias, or undeploy this one first"
                )

    def _index_pending(self) -> str | None:
        meta = indices.existing_meta(self.client, self.wish.index)
        if meta is None:
            return "create"
        changed = [key for key, value in self.wish.meta().items() if meta.get(key) != value]
        changed += indices.missing_fields(self.client, self.wish)
        return f"update {', '.join(changed)}" if changed else None

    def _apply_index(self) -> None:
        meta = indices.existing_meta(self.client, self.wish.index)
        if meta is None:
            self.client.indices.create(index=self.wish.index, body=indices.body(self.client, self.wish))
            return
        fields = indices.missing_fields(self.client, self.wish)
        indices.put_meta(self.client, self.wish.index, meta | self.wish.meta(), fields)
        former = meta["query_fingerprint"]
        if former != self.wish.meta()["query_fingerprint"] and status.table_is_unused(
            self.client, former, self.wish.index
        ):
            query_side.remove(self.client, former)
