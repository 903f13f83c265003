"""Whether an index holds what it should, neither more nor less, each document with the vector of its text."""

from __future__ import annotations

from dataclasses import dataclass

from opensearchpy import OpenSearch

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster import first_load, indices, models
from opensearch_lsr.cluster.deployed import deployed
from opensearch_lsr.cluster.deployment import MODEL_FIELD, VECTOR_FIELD
from opensearch_lsr.cluster.health.doctor import examine
from opensearch_lsr.document_encoder import DocumentEncoder

WORDS = ["water", "leak", "pipe", "tap", "dog", "cat", "tea", "coffee", "train", "road", ".", "a.b", "...", "3.5"]
FROM_CLUSTER, RELATIVE = 2e-3, 1 / 128  # a weight may differ by so much: rank_features keep 9 bits of it
USUAL = "posting lists"  # documents that are all alike, from an encoder of random weights: of no interest here
Texts = dict[str, str]


@dataclass(frozen=True)
class Content:
    """What is wrong with an index: documents, and the doctor's findings."""

    documents: int
    lost: int
    twice: int
    wrong: int
    findings: tuple[str, ...] = ()

    @property
    def right(self) -> bool:
        return not (self.lost or self.twice or self.wrong or self.findings)


def texts(count: int, seed: int = 0) -> Texts:
    """Documents whose texts and ids differ from seed to seed."""
    return {
        f"s{seed}d{i}": f"water {WORDS[i % 14]} {WORDS[i // 14 % 14]} {WORDS[seed % 14]} {i}." for i in range(count)
    }


def look(client: OpenSearch, alias: str, bundle: Bundle, expected: Texts) -> Content:
    """Compare what an alias serves with what it should, and ask the doctor."""
    target = deployed(client, alias)
    index = target.index
    client.indices.refresh(index=index)
    found: list[tuple[str, dict[str, object]]] = []
    request = {"size": 2000, "query": {"match_all": {}}, "sort": ["_seq_no"]}
    while hits := client.search(index=alias, body=request)["hits"]["hits"]:
        found += [(hit["_id"], hit["_source"]) for hit in hits]
        request["search_after"] = hits[-1]["sort"]
    kept = dict(found)
    vectors = DocumentEncoder(bundle).encode([str(source["text"]) for source in kept.values()])
    wrong = sum(
        source["text"] != expected.get(identifier)
        or source.get(MODEL_FIELD) != bundle.document_key
        or not _alike(source.get(VECTOR_FIELD), vector)
        for (identifier, source), vector in zip(kept.items(), vectors, strict=True)
    )
    checks = [check for check in examine(client, alias) if check.what != USUAL]
    findings = [finding.problem for check in checks for finding in check.findings]
    if first_load.left_behind(client, index) is not None:
        findings.append("the settings of a load are still there")
    models_there = {name: models.find(client, name) for name, needed in target.models.items() if needed}
    findings += [f"{name} is there {len(copies)} times" for name, copies in models_there.items() if len(copies) != 1]
    own = [name for name in client.indices.get(index=f"{alias}-*") if indices.lsr_meta(client, name)]
    findings += [f"{name} is left over" for name in own if name != index and not _was_replaced(client, index, name)]
    return Content(len(kept), len(expected.keys() - kept.keys()), len(found) - len(kept), wrong, tuple(findings))


def _was_replaced(client: OpenSearch, index: str, name: str) -> bool:
    return name in [former for former, _ in indices.lsr_meta(client, index).get("replaced", [])]


def _alike(stored: object, vector: dict[str, float]) -> bool:
    if not isinstance(stored, dict):
        return False
    tokens = stored.keys() | vector.keys()
    pairs = ((float(stored.get(token, 0)), vector.get(token, 0.0)) for token in tokens)
    return all(abs(one - other) <= max(FROM_CLUSTER, RELATIVE * other) for one, other in pairs)
