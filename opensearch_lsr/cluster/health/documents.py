"""Documents: without a vector, with another encoder's, with a stale one, or longer than the encoder reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from opensearchpy import OpenSearch

from opensearch_lsr.cluster.deployed import Deployed
from opensearch_lsr.cluster.deployment import MODEL_FIELD, TEXT_HASH_FIELD
from opensearch_lsr.cluster.health.check import Check, deploy_again, unknown
from opensearch_lsr.cluster.health.sample import Sample
from opensearch_lsr.cluster.preflight import Finding
from opensearch_lsr.data.documents import text_hash, text_of

TRUNCATED = 0.01  # of the documents: more is a finding
_NAMED = 3  # ids in a finding
_LOOKED_AT = 1000  # documents without a vector whose text is read


def vectors(client: OpenSearch, target: Deployed) -> Iterator[Check]:
    """How many documents have a vector of the deployed encoder, exactly: the marker field is indexed."""
    client.indices.refresh(index=target.index, ignore=403)  # where that is not permitted, it is done soon
    body = {
        "size": 0,
        "track_total_hits": True,
        "aggs": {
            "encoders": {"terms": {"field": MODEL_FIELD, "size": 10}},
            "none": {"missing": {"field": MODEL_FIELD}},
        },
    }
    answer = client.search(index=target.index, body=body)
    total, without = answer["hits"]["total"]["value"], answer["aggregations"]["none"]["doc_count"]
    encoders = {bucket["key"]: bucket["doc_count"] for bucket in answer["aggregations"]["encoders"]["buckets"]}
    others = {key: count for key, count in encoders.items() if key != target.document_key}
    findings = []
    looked_at, unencoded = _unencoded(client, target) if without else (0, [])
    if unencoded:
        problem = f"{_count(len(unencoded))} text and no vector ({_named(unencoded)})"
        if looked_at < without:
            problem += f", of {looked_at:,} looked at; {without:,} have no vector"
        query = {"bool": {"must_not": {"exists": {"field": MODEL_FIELD}}}}
        findings.append(Finding(problem, _encode_again(target, query)))
    if others:
        problem = ", ".join(f"{_count(count)} a vector of encoder {key}" for key, count in others.items())
        remedy = _encode_again(target, {"terms": {MODEL_FIELD: sorted(others)}})
        findings.append(Finding(f"{problem}, and queries are for {target.document_key}", remedy))
    share = f"{without / total:.1%}" if total else "0 %"
    seen = f"{total:,} documents, {encoders.get(target.document_key, 0):,} of {target.document_key}"
    seen += f", {without:,} without a vector ({share})" if without else ""
    numbers = {"documents": total, "encoders": encoders, "without": without, "without_but_text": len(unencoded)}
    yield Check("vectors", seen, findings, numbers)


def stale(target: Deployed, sample: Sample) -> Iterator[Check]:
    """Documents whose text changed after it was encoded."""
    what = "stale vectors"
    numbers = {"documents": sample.documents, "with_text_hash": sample.with_hash, "stale": len(sample.stale)}
    if not target.keeps_text_hashes:
        yield unknown(what, f"an earlier version deployed this; for hashes of what is encoded: {deploy_again(target)}")
        return
    if sample.with_vector and not sample.with_hash:
        yield unknown(what, "these documents were encoded before hashes were kept; indexed again, they have one")
        return
    findings = []
    if sample.stale:
        problem = f"{_count(len(sample.stale))} a vector of an earlier text ({_named(sample.stale)}), of {sample.of}"
        updates = "bulk updates do" if target.meta["encode"] == "cluster" else "an update does"
        remedy = f"index changed documents whole, {updates} not encode; {_encode_again(target, {'match_all': {}})}"
        findings = [Finding(problem, remedy)]
    seen = f"{len(sample.stale):,} among {sample.of}"
    if sample.with_hash < sample.with_vector:
        seen += f"; {sample.with_vector - sample.with_hash:,} encoded before hashes were kept are not known"
    yield Check(what, seen, findings, numbers)


def without_short(target: Deployed, sample: Sample) -> Iterator[Check]:
    """Where two-step search is deployed: documents that its first step cannot find."""
    if not target.two_step:
        return
    missing, findings = sample.without_short, []
    if missing:
        problem = f"{_count(len(missing))} a vector and no short one ({_named(missing)}), of {sample.of}: not found"
        findings = [Finding(f"{problem} but with --exact", _encode_again(target, {"match_all": {}}))]
    numbers = {"documents": sample.documents, "without_short": len(missing)}
    yield Check("short vectors", f"{len(missing):,} missing among {sample.of}", findings, numbers)


def truncated(target: Deployed, sample: Sample) -> Iterator[Check]:
    """Documents with more tokens than the encoder reads at once; what is beyond cannot be found."""
    if sample.max_length is None:
        yield unknown("long documents", "no tokenizer says how many tokens are encoded: give the bundle with --bundle")
        return
    numbers = {
        "documents": sample.documents,
        "max_length": sample.max_length,
        "truncated": sample.truncated,
        "longest": sample.longest,
    }
    findings = []
    if sample.truncated > TRUNCATED * sample.documents:
        share = sample.truncated / sample.documents
        problem = f"{share:.0%} of {sample.of} are longer than the {sample.max_length:,} tokens that are encoded"
        remedy = (
            "what is beyond cannot be found; split long documents into chunks, each with a vector of its own, behind "
            f"another alias: opensearch-lsr deploy BUNDLE --alias NAME --from {target.index} --chunk BYTES"
        )
        findings = [Finding(f"{problem} (the longest: {sample.longest:,})", remedy)]
    what = f"chunks of {target.chunk:,} bytes" if target.chunk else "texts"
    seen = f"{sample.truncated:,} of {sample.of} have {what} longer than {sample.max_length:,} tokens"
    yield Check("long documents", f"{seen}, the longest {sample.longest:,}", findings, numbers)


def _unencoded(client: OpenSearch, target: Deployed) -> tuple[int, list[str]]:
    """How many documents without a vector were looked at, and the ids of those that have text nobody encoded.

    One whose text hash fits was encoded, and the encoder found no token in it.
    """
    query = {"bool": {"must_not": {"exists": {"field": MODEL_FIELD}}}}
    body = {"query": query, "_source": [*target.fields, TEXT_HASH_FIELD], "size": _LOOKED_AT}
    hits = client.search(index=target.index, body=body)["hits"]["hits"]
    found = []
    for hit in hits:
        text = text_of(hit["_source"], target.fields)
        if text and hit["_source"].get(TEXT_HASH_FIELD) != text_hash(text):
            found.append(hit["_id"])
    return len(hits), found


def _encode_again(target: Deployed, query: object) -> str:
    if target.meta["encode"] == "cluster":
        body = json.dumps({"query": query})
        return f"encode them again: POST /{target.index}/_update_by_query?conflicts=proceed {body}"
    return f"encode them again: opensearch-lsr index FILE --alias {target.alias}"


def _count(number: int) -> str:
    return f"{number:,} documents have" if number != 1 else "1 document has"


def _named(identifiers: Sequence[str]) -> str:
    return ", ".join(sorted(identifiers)[:_NAMED]) + (", …" if len(identifiers) > _NAMED else "")
