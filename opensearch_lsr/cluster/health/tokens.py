"""The query side: the token weights are there and whole, and where the cluster turns text into tokens, its tokens and
weights are those that a client looks up."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from opensearchpy import OpenSearch

from opensearch_lsr.cluster import models, probe, query_side
from opensearch_lsr.cluster.deployed import Deployed
from opensearch_lsr.cluster.health.check import Check, deploy_again, unknown
from opensearch_lsr.cluster.preflight import Finding
from opensearch_lsr.query_encoder import TOKEN_WEIGHTS_INDEX, QueryEncoder
from opensearch_lsr.sparse_vector import SparseVector
from opensearch_lsr.tokenizer_file import special_tokens


def weights(client: OpenSearch, target: Deployed) -> Iterator[Check]:
    """The table in the cluster. An edited one is no finding by itself: it is how weights are changed."""
    if target.meta["query"] != "table":
        yield Check("token weights", "none: a bi-encoder's queries go through its model")
        return
    fingerprint = target.meta["query_fingerprint"]
    state = query_side.state(client, fingerprint)
    findings = []
    place = f"{TOKEN_WEIGHTS_INDEX}/{fingerprint}"
    if state == "missing":
        findings = [Finding(f"the token weights are gone from {place}", deploy_again(target))]
    elif state == "damaged":
        remedy = f"DELETE /{TOKEN_WEIGHTS_INDEX}/_doc/{fingerprint}, then {deploy_again(target)}"
        findings = [Finding(f"the token weights in {place} cannot be used: tokenizer or weights are damaged", remedy)]
    seen = f"{fingerprint[:8]}, {state}" + (" since: clients look the new weights up" if state == "edited" else "")
    yield Check("token weights", seen, findings, {"fingerprint": fingerprint, "state": state})


def agreement(client: OpenSearch, target: Deployed) -> Iterator[Check]:
    """The cluster's tokens and weights against the client's, on a few texts."""
    what, mode = "query tokens", target.meta["query_mode"]
    if target.meta["query"] != "table" or mode == "tokens":
        who = "the model" if target.meta["query"] != "table" else "the client"
        yield Check(what, f"made by {who} alone")
        return
    fingerprint = target.meta["query_fingerprint"]
    state = query_side.state(client, fingerprint)
    if state in ("missing", "damaged"):
        yield unknown(what, f"the token weights are {state}")
        return
    here = QueryEncoder.from_cluster(client, target.index).encode_batch(probe.TEXTS)
    if mode == "analyzer":
        by_cluster, there = target.meta["analyzer"], [_analyzed(client, target, text) for text in probe.TEXTS]
    else:
        by_cluster = str(target.query_model)
        model = models.usable(client, by_cluster)
        if model is None or model.state != "DEPLOYED":
            yield unknown(what, f"model {by_cluster} is not deployed")
            return
        there = models.predict(client, model.model_id, "SPARSE_TOKENIZE", probe.TEXTS)
    found = probe.difference(here, _without_specials(client, fingerprint, there))
    if found is None and state == "edited":
        found = "a weight was edited that the texts compared do not have"
    findings = []
    if found:
        remedy = (
            f"deploy a bundle with these weights, or search with tokens; to undo the edit: "
            f"DELETE /{TOKEN_WEIGHTS_INDEX}/_doc/{fingerprint}, then {deploy_again(target)}"
        )
        findings = [Finding(f"{by_cluster} and the table in {TOKEN_WEIGHTS_INDEX} differ: {found}", remedy)]
    seen = f"{by_cluster} against the client, {len(probe.TEXTS)} texts"
    yield Check(what, seen, findings, {"by": by_cluster, "texts": len(probe.TEXTS)})


def _analyzed(client: OpenSearch, target: Deployed, text: str) -> SparseVector:
    """The analyzer's tokens; their weights are payloads, four bytes of a float each."""
    body = {"analyzer": target.meta["analyzer"], "text": text, "explain": True}
    tokens = client.indices.analyze(body=body)["detail"]["analyzer"]["tokens"]
    return {token["token"]: _float(token["payload"]) for token in tokens}


def _float(payload: str) -> float:
    """Read ``[3e cd f7 80]``."""
    (weight,) = struct.unpack(">f", bytes(int(byte, 16) for byte in payload.strip("[]").split()))
    return float(weight)


def _without_specials(client: OpenSearch, fingerprint: str, vectors: list[SparseVector]) -> list[SparseVector]:
    """Special tokens match no document, and the analyzer gives them a weight."""
    tokenizer = query_side.tokenizer(client, fingerprint)
    specials = set(special_tokens(tokenizer)) if tokenizer else set()
    return [{token: weight for token, weight in vector.items() if token not in specials} for vector in vectors]
