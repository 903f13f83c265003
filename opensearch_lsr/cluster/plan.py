"""The steps from a bundle to a searchable alias. Each looks first and makes only what is missing, so that a plan can be
printed, applied twice, or applied again after it was killed anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from opensearchpy import OpenSearch

from opensearch_lsr.bundle import TABLE, TOKENIZER
from opensearch_lsr.cluster import (
    alias,
    bulk,
    indices,
    models,
    pipelines,
    preflight,
    probe,
    query_side,
    status,
)
from opensearch_lsr.cluster.deployed import Deployed
from opensearch_lsr.cluster.deployment import Deployment
from opensearch_lsr.cluster.features import Feature
from opensearch_lsr.cluster.handover import stragglers
from opensearch_lsr.cluster.handover.handover import Handover, Terms
from opensearch_lsr.cluster.handover.record import is_pending
from opensearch_lsr.cluster.model_steps import Step, model_steps
from opensearch_lsr.document_encoder import DocumentEncoder
from opensearch_lsr.errors import DeploymentError

_ENCODE, _TOKENIZE = "SPARSE_ENCODING", "SPARSE_TOKENIZE"
_NOT_YET = "<id of the model>"


class Plan:
    """The plan for one wish.

    Args:
        client: the cluster.
        wish: what should be deployed.
        on_progress: called with (what, done, total) during uploads and copies.
        terms: how the documents of the wish's source index are handed over.
    """

    def __init__(
        self,
        client: OpenSearch,
        wish: Deployment,
        on_progress: Callable[[str, int, int], None] = lambda what, n, total: None,
        terms: Terms | None = None,
    ) -> None:
        self.client, self.wish, self._on_progress = client, wish, on_progress
        self._terms = terms or Terms()
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
        elif self.wish.source_index and is_pending(self.client, self.wish, self.wish.source_index):
            self.handover.check()
        if Feature.MODELS in self.wish.needs:
            DocumentEncoder(self.wish.bundle)  # the probe needs it, and a graph that fails here fails there
        return changed

    def pending(self) -> Iterator[tuple[Step, str]]:
        """The steps that have something to do, each inspected when its turn comes."""
        for step in self.steps:
            action = step.pending()
            if action is not None:
                yield step, action

    @cached_property
    def _target(self) -> Deployed:
        return Deployed(self.wish.alias, self.wish.index, self.wish.meta())

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
            yield self._pipeline_step("ingest", wish.ingest_pipeline)
        yield self._pipeline_step("search", wish.search_pipeline)
        yield Step(f"index {wish.index}", self._index_pending, self._apply_index)
        if wish.source_index:
            yield from self._handover_steps(wish.source_index)
        else:
            yield Step(
                f"alias {wish.alias}",
                lambda: alias.move_pending(self.client, wish),
                lambda: alias.move(self.client, wish),
            )

    def _model_steps(self, name: str, function: str, files: dict[str, Path], check: probe.Check) -> Iterator[Step]:
        return model_steps(self.client, self.wish, name, function, files, check, self._on_progress)

    def _model_id(self, name: str) -> str:
        model = models.usable(self.client, name)
        return model.model_id if model else _NOT_YET

    # documents of another index

    @cached_property
    def handover(self) -> Handover:
        """From the wish's source to its index."""
        client, wish, target = self.client, self.wish, self._target
        encoder = partial(bulk.document_encoder, target, str(wish.bundle.path)) if wish.encode == "client" else None
        source = indices.resolve(client, wish.source_index or "")
        return Handover(client, source, target, encoder, self._terms, self._on_progress)

    def _handover_steps(self, source: str) -> Iterator[Step]:
        client, wish = self.client, self.wish

        def copying() -> str | None:
            count = client.count(index=source)["count"]
            return f"encode {count:,} documents into {wish.index}" if is_pending(client, wish, source) else None

        def moving() -> str | None:
            action = f"catch up with {source}, refuse its writes for a moment, point to {wish.index}"
            return action if is_pending(client, wish, source) else None

        yield Step(f"documents of {source}", copying, lambda: self.handover.fill())

        def settling() -> str | None:
            found = stragglers.unsettled(client, self._target)
            return "look after what was being written at the swap" if found else None

        yield Step(f"alias {wish.alias}", moving, lambda: self.handover.finish())
        yield Step(f"last writes to {source}", settling, lambda: stragglers.settle(client, self._target))

    # token weights and pipelines

    def _weights_pending(self) -> str | None:
        stored = query_side.is_stored(self.client, self.wish.bundle.config.query_fingerprint)
        return None if stored else "store the table and the tokenizer in lsr-token-weights"

    def _pipeline_step(self, kind: str, name: str) -> Step:
        def body() -> dict[str, Any]:
            model = self._target.pipeline_model(kind)
            return pipelines.body(self._target, kind, model and self._model_id(model))

        def pending() -> str | None:
            found = pipelines.stored(self.client, kind, name)
            if found == body():
                return None
            return "update" if found else "create"

        return Step(f"{kind} pipeline {name}", pending, lambda: pipelines.put(self.client, kind, name, body()))

    # index

    def _check_existing(self) -> None:
        """Refuse what would mix vectors; `fields` and `encode` say what is in the index."""
        meta = indices.existing_meta(self.client, self.wish.index)
        there, wanted = {"two_step": False, "chunk": None} | (meta or {}), self.wish.meta()  # before there were such
        for key in ("name", "document_fingerprint", "fields", "encode", "prune", "two_step", "chunk") if meta else ():
            if there[key] != wanted[key]:
                raise DeploymentError(
                    f"{self.wish.index}: was deployed with {key} {there[key]}, asked is {wanted[key]}; "
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
