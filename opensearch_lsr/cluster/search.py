"""Searching what an alias serves: the three query modes, filters, two-phase and hybrid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opensearchpy import OpenSearch

from opensearch_lsr.cluster import chunks, names, preflight, templates, two_step
from opensearch_lsr.cluster.deployed import Deployed, deployed
from opensearch_lsr.cluster.deployment import QUERY_MODES
from opensearch_lsr.cluster.features import needed_by
from opensearch_lsr.errors import DeploymentError, InputError
from opensearch_lsr.query_encoder import QueryEncoder, encodable
from opensearch_lsr.sparse_vector import Prune

MAX_QUERY_CHARACTERS = 100_000
_HIDDEN = {"excludes": ["lsr_*"]}  # this package's own fields


@dataclass(frozen=True)
class Hit:
    """One result: id, score, and the document without what encoding added to it."""

    id: str
    score: float
    source: dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What a request found, the milliseconds that the cluster says it took, and which index each hit is of."""

    hits: list[Hit]
    took: int
    indices: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Options:
    """How to search.

    Attributes:
        mode: ``tokens`` (looked up here), ``analyzer`` (built into OpenSearch 3.1+) or ``model`` (SPARSE_TOKENIZE, or a
            bi-encoder's own model); None takes ``tokens``, or ``model`` for a bi-encoder.
        prune: which query tokens are kept (``tokens`` only); None: what the deployment says.
        two_phase: strong tokens first; with two-phase in the default pipeline this changes nothing.
        filter: an OpenSearch filter clause.
        hybrid: BM25 and sparse scores, normalised and averaged.
        exact: all of a query's tokens, and one step over the vectors that documents have, whatever preset is deployed.
    """

    mode: str | None = None
    prune: Prune | None = None
    two_phase: bool = False
    filter: Mapping[str, Any] | None = None
    hybrid: bool = False
    exact: bool = False


def search(
    client: OpenSearch,
    alias: str,
    text: str,
    *,
    size: int = 10,
    options: Options | None = None,
    encoder: QueryEncoder | None = None,
) -> list[Hit]:
    """Search an alias.

    Args:
        client: the cluster.
        alias: what was deployed.
        text: the query.
        size: how many hits at most.
        options: see :class:`Options`.
        encoder: from :meth:`QueryEncoder.from_cluster`, to look the table up once for many queries. When the alias has
            another query side, it is refreshed, and one that is not from the cluster is not used.

    Raises:
        DeploymentError: when the alias is not this package's, or does not serve the mode.
        InputError: for a text that no query can carry.
    """
    target = deployed(client, alias)
    while True:
        request = body(client, target, text, size=size, options=options or Options(), encoder=encoder)
        answer = ask(client, alias, request)
        if answer.indices == {target.index}:
            return answer.hits
        asked, target = target, deployed(client, alias)
        if target.index == asked.index:
            return answer.hits
        # the alias moved in between, and the query was not of the index that answered


def body(
    client: OpenSearch, target: Deployed, text: str, *, size: int, options: Options, encoder: QueryEncoder | None = None
) -> dict[str, Any]:
    """The search request that :func:`search` sends; it can be sent by anything that speaks HTTP."""
    if options.two_phase and target.chunk:
        raise InputError(f"{target.alias}: is deployed with chunks, which two-phase search does not see; leave it out")
    text = encodable(text)
    clause = _sparse_clause(client, target, text, options, encoder)
    if target.chunk:
        clause = chunks.nested(clause)
    asked = {**target.meta, "query_mode": options.mode or target.meta["query_mode"], "two_phase": options.two_phase}
    preflight.require_version(client, needed_by(asked) - needed_by(target.meta))  # the rest was seen to by deploy
    request: dict[str, Any] = {"size": size, "_source": _HIDDEN, "query": _filtered(clause, options.filter)}
    if options.hybrid:
        if options.two_phase:
            raise InputError("two-phase works on plain and bool queries only; leave out --two-phase or --hybrid")
        clauses = [bm25_clause(text, target.fields), clause]
        request["query"] = {"hybrid": {"queries": [_filtered(one, options.filter) for one in clauses]}}
    elif target.two_step and not options.exact and "neural_sparse" in clause:
        if options.two_phase:
            raise InputError(f"{target.alias}: is deployed with the preset fast; leave out --two-phase, or add --exact")
        request["query"] = _filtered(two_step.first(clause), options.filter)
        request["rescore"] = two_step.second(clause, size)
    two_phase = options.two_phase and not target.meta["two_phase"]
    # a query may not carry an analyzer and the model that the default pipeline's enricher adds
    unenriched = options.mode == "analyzer" and target.meta["query_mode"] == "model"
    if two_phase or unenriched:
        request["search_pipeline"] = _changed_pipeline(client, target, two_phase, unenriched)
    return request


def bm25_clause(text: str, fields: list[str]) -> dict[str, Any]:
    """BM25 over the text fields, the baseline."""
    return {"multi_match": {"query": text, "fields": fields, "type": "most_fields"}}


def ask(client: OpenSearch, alias: str, request: Mapping[str, Any]) -> Answer:
    """Send a search request; a hit's source comes without the package's own fields."""
    answer = client.search(index=alias, body=request)
    found = [Hit(hit["_id"], float(hit["_score"] or 0), hit.get("_source", {})) for hit in answer["hits"]["hits"]]
    return Answer(found, answer["took"], frozenset(hit["_index"] for hit in answer["hits"]["hits"]))


def _sparse_clause(
    client: OpenSearch, target: Deployed, text: str, options: Options, encoder: QueryEncoder | None
) -> dict[str, Any]:
    if len(text) > MAX_QUERY_CHARACTERS:
        raise InputError(
            f"the query has {len(text):,} characters; at most {MAX_QUERY_CHARACTERS:,} make sense: shorten it"
        )
    if not text.strip():
        raise InputError("the query is empty")
    bi_encoder = target.meta["query"] == "encoder"
    mode = options.mode or ("model" if bi_encoder else "tokens")
    if mode not in QUERY_MODES:
        raise InputError(f"query mode {mode!r}: it is one of {', '.join(QUERY_MODES)}")
    if options.prune and mode != "tokens":
        raise InputError(f"pruning needs the query's tokens; the {mode} mode sends text: leave out --prune or --mode")
    if mode == "tokens":
        encoder = _fitting(client, target, encoder)
        prune = options.prune or (None if options.exact else target.prune_query)
        return encoder.neural_sparse(text, target.vector_field, prune)
    if mode == "analyzer":
        if not target.meta["analyzer"]:
            raise DeploymentError(
                f"{target.alias}: its token weights differ from the built-in analyzers'; use --mode tokens"
            )
        return {"neural_sparse": {target.vector_field: {"query_text": text, "analyzer": target.meta["analyzer"]}}}
    if not bi_encoder and target.meta["query_mode"] != "model":
        raise DeploymentError(f"{target.alias}: was deployed without a query model; deploy it with --query-mode model")
    return {"neural_sparse": {target.vector_field: {"query_text": text}}}  # the pipeline's enricher adds the model


def _fitting(client: OpenSearch, target: Deployed, encoder: QueryEncoder | None) -> QueryEncoder:
    """The encoder that was given, if it is of what the alias serves, or comes to be; else one from the cluster."""
    wanted = target.meta["query_fingerprint"]
    if encoder and encoder.fingerprint != wanted:
        encoder.refresh()
    if encoder and encoder.fingerprint == wanted:
        return encoder
    return QueryEncoder.from_cluster(client, target.index, check_every=None)


def _changed_pipeline(client: OpenSearch, target: Deployed, two_phase: bool, unenriched: bool) -> dict[str, Any]:
    """The deployed search pipeline for one request, with two-phase added or the enricher left out."""
    name = names.search_pipeline(target.index)
    pipeline: dict[str, Any] | None = client.transport.perform_request(
        "GET", f"/_search/pipeline/{name}", params={"ignore": 404}
    ).get(name)
    if pipeline is None:
        raise DeploymentError(f"{target.alias}: its search pipeline {name} is gone; run deploy again")
    processors = pipeline.get("request_processors", [])
    if unenriched:
        processors = [one for one in processors if "neural_query_enricher" not in one]
    if two_phase:
        processors = [*processors, templates.load("search-two-phase")]
    return {**pipeline, "request_processors": processors}


def _filtered(clause: dict[str, Any], condition: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"bool": {"must": [clause], "filter": [condition]}} if condition else clause
