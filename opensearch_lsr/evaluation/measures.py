"""Relevance of a run by ir_measures, averaged over all judged queries (a query without hits counts zero)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opensearch_lsr.errors import needs_extra

Qrels = Mapping[str, Mapping[str, int]]
Run = Mapping[str, Mapping[str, float]]


def evaluate(qrels: Qrels, run: Run, measures: Sequence[str] = ("nDCG@10", "RR@10", "R@100")) -> dict[str, float]:
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
    found = ir_measures.calc_aggregate(parsed, *_plain(qrels, run))
    return {name: float(found[measure]) for name, measure in zip(measures, parsed, strict=True)}


def by_query(qrels: Qrels, run: Run, measure: str = "nDCG@10") -> dict[str, float]:
    """The measure of each judged query, for paired tests; 0 for one without hits.

    Raises:
        MissingExtraError: when ir_measures is not installed.
    """
    with needs_extra("eval", "measuring relevance"):
        import ir_measures
    values = dict.fromkeys(qrels, 0.0)
    for found in ir_measures.iter_calc([ir_measures.parse_measure(measure)], *_plain(qrels, run)):
        values[found.query_id] = float(found.value)
    return values


def _plain(qrels: Qrels, run: Run) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, float]]]:
    return {key: dict(value) for key, value in qrels.items()}, {key: dict(value) for key, value in run.items()}
