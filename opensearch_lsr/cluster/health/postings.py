"""Posting-list outliers: tokens that nearly every document's vector has. A query with one scores nearly every document,
and it does not tell them apart."""

from __future__ import annotations

from collections.abc import Iterator

from opensearch_lsr.cluster.health.check import Check, unknown
from opensearch_lsr.cluster.health.sample import Sample
from opensearch_lsr.cluster.preflight import Finding

# What a corpus is about is in most of its vectors: under the default encoder `tissues` in 91 % of SciFact, `study` in
# 93 % of NFCorpus. Of six test collections one goes beyond: Python functions, with `def`, `:` and `"` in all.
OUTLIER = 0.95
LONG = 0.5
ENOUGH = 100  # documents with vectors: fewer say little about shares
_SHOWN = 5


def outliers(sample: Sample) -> Iterator[Check]:
    """Counted over the sample's vectors, which are at hand; asking the index would be a query for each token."""
    what = "posting lists"
    if sample.with_vector < ENOUGH:
        yield unknown(what, f"{sample.with_vector:,} vectors were looked at; {ENOUGH} would say something")
        return
    shares = {token: count / sample.with_vector for token, count in sample.frequencies.most_common()}
    found, long = ([token for token, share in shares.items() if share > limit] for limit in (OUTLIER, LONG))
    shown = ", ".join(f"{token!r} {share:.0%}" for token, share in list(shares.items())[:_SHOWN])
    findings = []
    if found:
        tokens = "1 token is" if len(found) == 1 else f"{len(found):,} tokens are"
        problem = f"{tokens} in more than {OUTLIER:.0%} of the documents ({shown}): queries with them score them all"
        remedy = (
            "weigh tokens by your own corpus (opensearch-lsr idf), leave weak weights out (deploy --prune "
            "max_ratio=0.1), or train with a penalty on frequent tokens (recipe df-flops)"
        )
        findings = [Finding(problem, remedy)]
    mean = sum(sample.frequencies.values()) / sample.with_vector
    seen = f"{mean:,.0f} tokens a document; {len(long):,} in more than {LONG:.0%} of the documents; longest: {shown}"
    numbers = {
        "documents": sample.with_vector,
        "tokens_a_document": round(mean, 1),
        "long": {token: round(shares[token], 4) for token in long},
        "outliers": found,
    }
    yield Check(what, seen, findings, numbers)
