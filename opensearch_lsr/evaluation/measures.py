"""Relevance of a run by ir_measures, averaged over all judged queries (a query without hits counts zero)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opensearch_lsr.errors import needs_extra

Run = Mapping[str, Mapping[str, float]]


def evaluate(
    qrels: Mapping[str, Mapping[str, int]], run: Run, measures: Sequence[str] = ("nDCG@10", "RR@10", "R@100")
) -> dict[str, float]:
    """Mean of each measure.

    Args:
        qrels: query id → document id → grade.
        run: query id → document id → score.
        measures: ir_measures names.

    Raises:
        MissingExtraError: when ir_measures is not installed.
    """
    with needs_extra("eval", "measuring relevance"):
        import ir_measures
    parsed = [ir_measures.parse_measure(name) for name in measures]
    judged = {query: dict(documents) for query, documents in qrels.items()}
    scored = {query: dict(documents) for query, documents in run.items()}
    found = ir_measures.calc_aggregate(parsed, judged, scored)
    return {name: float(found[measure]) for name, measure in zip(measures, parsed, strict=True)}
