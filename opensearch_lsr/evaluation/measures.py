"""Relevance of a run by ir_measures, per query and averaged over all judged queries.

A query without hits counts zero. Every measure sees the same order of equal scores, that of
:func:`opensearch_lsr.evaluation.trec.ranking`: left to themselves, ir_measures' scorers break ties differently.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from opensearch_lsr.errors import InputError, needs_extra
from opensearch_lsr.evaluation.trec import Run, ranking

Qrels = Mapping[str, Mapping[str, int]]
Values = dict[str, dict[str, float]]
MEASURES = ("nDCG@10", "RR@10", "R@100", "AP@100")


def evaluate(qrels: Qrels, run: Run, measures: Sequence[str] = ("nDCG@10", "RR@10", "R@100")) -> dict[str, float]:
    """Mean of each measure over all judged queries; see :func:`by_query`."""
    return mean(by_query(qrels, run, measures))


def by_query(qrels: Qrels, run: Run, measures: Sequence[str] = MEASURES) -> Values:
    """Several measures of each judged query, in one pass.

    Args:
        qrels: query id → document id → grade.
        run: query id → document id → score.
        measures: ir_measures names.

    Returns:
        Query id → measure → value, in the order of ``qrels``; queries without judgments are left out.

    Raises:
        InputError: for a measure that ir_measures does not know.
        MissingExtraError: when ir_measures is not installed.
    """
    with needs_extra("eval", "measuring relevance"):
        import ir_measures
    parsed = {}
    for name in measures:
        try:
            parsed[ir_measures.parse_measure(name)] = name
        except (ValueError, NameError, SyntaxError) as error:
            raise InputError(f"measure {name!r}: ir_measures does not know it; use names such as nDCG@10") from error
    values = {query: dict.fromkeys(measures, 0.0) for query in qrels}
    judged = {query: dict(grades) for query, grades in qrels.items()}
    for found in ir_measures.iter_calc(list(parsed), judged, {query: _untied(run.get(query, {})) for query in qrels}):
        values[found.query_id][parsed[found.measure]] = float(found.value)
    return values


def mean(values: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Mean of each measure; empty without queries."""
    names = next(iter(values.values()), {})
    return {name: fmean(found[name] for found in values.values()) for name in names}


def _untied(scores: Mapping[str, float]) -> dict[str, float]:
    """Falling whole numbers for scores: no two are equal."""
    return {document: float(-rank) for rank, (document, _) in enumerate(ranking(scores))}
