"""Learned sparse retrieval as ``opensearch-lsr deploy`` sets it up, searched as ``opensearch_lsr.cluster.search`` does.

The vectors are encoded before (:mod:`opensearch_lsr.evaluation.vectors`) and sent as the client encoding mode sends
them; index, pipelines and query models are made by the same :func:`~opensearch_lsr.cluster.deploy.deploy` that
users call. All but the presets balanced and fast share one index. What a system needs beside it (a two-phase pipeline,
a query model) comes from a deployment of its own, whose index stays empty and whose search pipeline the requests name.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cached_property
from typing import Any, ClassVar

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster import names, preflight, search, status, templates, two_step, vector_fields
from opensearch_lsr.cluster.deploy import deploy
from opensearch_lsr.cluster.deployed import Deployed, deployed
from opensearch_lsr.cluster.deployment import Deployment
from opensearch_lsr.cluster.features import Needs
from opensearch_lsr.cluster.presets import BALANCED, EXACT, FAST, PRESETS
from opensearch_lsr.cluster.search import Options
from opensearch_lsr.data.documents import TITLED, text_of
from opensearch_lsr.errors import DeploymentError, InputError
from opensearch_lsr.evaluation.context import Context, owned
from opensearch_lsr.evaluation.storage import TEXT, EncoderName, Record, Storage
from opensearch_lsr.evaluation.systems.system import System
from opensearch_lsr.query_encoder import QueryEncoder
from opensearch_lsr.sparse_vector import Prune

PRUNED_QUERY = Prune("max_ratio", 0.4)  # of queries: what two-phase puts off, left out


class SparseIndex(Storage):
    """Text fields and ``rank_features``, deployed."""

    name = "lsr"
    encoder: ClassVar[EncoderName | None] = "bundle"
    preset: ClassVar[str] = EXACT

    @property
    def given(self) -> Bundle | None:
        """The bundle whose vectors it holds."""
        return self.context.bundle

    @cached_property
    def bundle(self) -> Bundle:
        """The same under a name of the run's.

        Raises:
            InputError: when none was given.
        """
        if self.given is None:
            raise InputError(f"{self.name}: no encoder bundle was given for it")
        return owned(self.given, self.context.run)

    def body(self) -> dict[str, Any]:
        return {"settings": self.context.settings, "mappings": {"properties": TEXT}}

    def create(self) -> None:
        deploy(
            self.client,
            self.bundle,
            alias=self.index,
            fields=TITLED,
            encode="client",
            preset=self.preset,
            mapping=self.body(),
        )

    def remove(self) -> None:
        with suppress(DeploymentError):  # nothing is deployed there
            status.undeploy(self.client, self.index)

    def source(self, record: Record) -> dict[str, Any]:
        document = {"title": record.title, "text": record.text}
        vector: Any = record.vector or {}
        if self._wish.prune:
            vector = self._wish.prune(vector)
        text = text_of(document, TITLED)
        return document | vector_fields.of(text, vector, self._wish, self.bundle)

    @cached_property
    def _wish(self) -> Deployed:
        wish = Deployment(self.bundle, self.index, TITLED, encode="client", **PRESETS[self.preset])
        return Deployed(wish.alias, wish.index, wish.meta())


class BalancedIndex(SparseIndex):
    """The same with the weak tokens of each document left out, and of each query."""

    name = "lsr-balanced"
    preset = BALANCED


class FastIndex(SparseIndex):
    """The same with short vectors beside."""

    name = "lsr-fast"
    preset = FAST


class Tokens(System):
    """Query tokens looked up by the client: the product's default."""

    name = "tokens"
    title = "LSR (tokens)"
    place: ClassVar[type[SparseIndex]] = SparseIndex
    options: ClassVar[Options] = Options()
    deployment: ClassVar[dict[str, Any]] = {}  # what the shared deployment lacks; a deployment of its own has it
    needs: ClassVar[Needs] = frozenset()  # beyond its deployment's
    side: ClassVar[str] = "table"  # what encodes the queries of its bundles

    def __init__(self, context: Context) -> None:
        self._index = self.place(context)
        super().__init__(context, self._index)
        self._target: Deployed
        self._encoder: QueryEncoder | None = None

    @property
    def parameters(self) -> dict[str, Any]:
        wish, given = self._wish(), self._index.bundle.config
        return {
            "bundle": self._index.given and self._index.given.config.name,
            "document_fingerprint": given.document_fingerprint,
            "query_fingerprint": given.query_fingerprint,
            "query_mode": self.options.mode or ("tokens" if self.side == "table" else "model"),
            "two_phase": wish.two_phase,
            "prune": wish.prune.processor() if wish.prune else None,
            "two_step": {"tokens": two_step.TOKENS, "window": two_step.WINDOW} if wish.two_step else None,
            "prune_query": rule.processor() if (rule := self.options.prune or wish.prune_query) else None,
            "hybrid": self.options.hybrid,
        }

    def missing(self) -> str | None:
        given = self._index.given
        if given is None:
            return "no encoder bundle was given for it"
        if given.config.query != self.side:
            return f"{given.path}: lsr.json says query: {given.config.query}; this system needs one with {self.side}"
        try:
            needs = self._wish().needs
        except InputError as error:
            return str(error)
        return preflight.lacks(self.client, needs | self.needs)

    def prepare(self) -> None:
        if self.deployment:
            self._target = deploy(
                self.client, self._index.bundle, alias=self._wish().alias, fields=TITLED, **self._options()
            )
            self.search_pipeline = names.search_pipeline(self._target.index)
        else:
            self._target = deployed(self.client, self.index)
        if self.side == "table" and not self.options.mode:
            self._encoder = QueryEncoder.from_cluster(self.client, self.index, check_every=None)

    def encode(self, text: str) -> dict[str, Any]:
        query: dict[str, Any] = search.body(
            self.client, self._target, text, size=0, options=self.options, encoder=self._encoder
        )["query"]
        return query

    def query(self, encoded: dict[str, Any], size: int) -> dict[str, Any]:
        return encoded

    def _options(self) -> dict[str, Any]:
        return {"encode": "client", **PRESETS[self._index.preset], **self.deployment}

    def _wish(self) -> Deployment:
        return Deployment(self._index.bundle, self.context.index(self.name), TITLED, **self._options())


class Analyzer(Tokens):
    """Query text, tokenized and weighted by an analyzer built into OpenSearch (3.1+)."""

    name = "analyzer"
    title = "LSR (analyzer)"
    options = Options(mode="analyzer")
    deployment: ClassVar[dict[str, Any]] = {"query_mode": "analyzer"}


class Model(Tokens):
    """Query text, tokenized and weighted by a SPARSE_TOKENIZE model of ML Commons."""

    name = "model"
    title = "LSR (model)"
    options = Options(mode="model")
    deployment: ClassVar[dict[str, Any]] = {"query_mode": "model"}


class TwoPhase(Tokens):
    """Strong query tokens first, weak ones for the best documents only."""

    name = "two-phase"
    title = "LSR (two-phase)"
    options = Options(two_phase=True)
    deployment: ClassVar[dict[str, Any]] = {"two_phase": True}
    by_size: ClassVar[bool] = True  # the second phase sees size · expansion_rate documents

    @property
    def parameters(self) -> dict[str, Any]:
        (processor,) = templates.load("search-two-phase").values()
        return {**super().parameters, **processor["two_phase_parameter"]}


class Balanced(Tokens):
    """The preset: documents and queries without their weak tokens."""

    name = "balanced"
    title = "LSR (balanced)"
    place = BalancedIndex


class Fast(Tokens):
    """The preset: candidates by short vectors, ranked by whole ones."""

    name = "fast"
    title = "LSR (fast)"
    place = FastIndex
    options = Options(exact=True)  # the whole vector's clause, which both steps are made of
    by_size: ClassVar[bool] = True  # as many documents are ranked as hits are asked for, where that is above the window

    def query(self, encoded: dict[str, Any], size: int) -> dict[str, Any]:
        return two_step.first(encoded) if "neural_sparse" in encoded else encoded

    def request(self, encoded: Any, size: int, track_total_hits: bool) -> tuple[dict[str, str], dict[str, Any]]:
        params, body = super().request(encoded, size, track_total_hits)
        return params, body | ({"rescore": two_step.second(encoded, size)} if "neural_sparse" in encoded else {})


class PrunedQuery(Tokens):
    """Queries without their weak tokens."""

    name = "pruned-query"
    title = "LSR (pruned queries)"
    options = Options(prune=PRUNED_QUERY)
