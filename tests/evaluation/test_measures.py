"""Relevance measures against an independent scorer, pytrec_eval, called directly."""

from __future__ import annotations

import random

import pytest

from opensearch_lsr.errors import InputError
from opensearch_lsr.evaluation.measures import MEASURES, by_query, evaluate, mean

pytest.importorskip("ir_measures")
pytrec_eval = pytest.importorskip("pytrec_eval")

# RR@10 is what recip_rank gives for the first ten documents
TREC_NAMES = {"nDCG@10": "ndcg_cut_10", "R@100": "recall_100", "AP@100": "map_cut_100", "RR@10": "recip_rank"}


def graded(seed: int) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, float]]]:
    """60 queries over 200 documents, grades 0-3, scores all different; some without hits, some without judgments."""
    rng = random.Random(seed)
    documents = [f"d{n}" for n in range(200)]
    qrels, run = {}, {}
    for number in range(60):
        judged = rng.sample(documents, rng.choice([1, 2, 10, 60, 150]))
        qrels[f"q{number}"] = {document: rng.choice([0, 1, 1, 2, 3]) for document in judged}
        found = rng.sample(documents, rng.choice([0, 5, 120, 200]))
        run[f"q{number}"] = {document: rng.random() + (document in judged) * rng.random() / 2 for document in found}
    del run["q3"]
    qrels["q4"] = dict.fromkeys(qrels["q4"], 0)
    run["not judged"] = {"d1": 1.0}
    return qrels, run


def scored(qrels: dict[str, dict[str, int]], run: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """By pytrec_eval, which leaves out the queries without hits."""
    names = {name for measure, name in TREC_NAMES.items() if measure != "RR@10"}
    found = pytrec_eval.RelevanceEvaluator(qrels, names).evaluate(run)
    first_ten = {q: dict(sorted(scores.items(), key=lambda e: e[1])[-10:]) for q, scores in run.items()}
    for query, values in pytrec_eval.RelevanceEvaluator(qrels, {"recip_rank"}).evaluate(first_ten).items():
        found[query].update(values)
    return {query: {m: found.get(query, {}).get(name, 0.0) for m, name in TREC_NAMES.items()} for query in qrels}


@pytest.mark.parametrize("seed", range(5))
def test_every_query_as_the_independent_scorer_has_it(seed: int) -> None:
    qrels, run = graded(seed)
    expected = scored(qrels, run)
    found = by_query(qrels, run)
    assert list(found) == list(qrels)
    for query, values in found.items():
        assert list(values) == list(MEASURES)
        assert values == pytest.approx(expected[query], abs=1e-12), query
    assert sum(0 < value < 1 for values in found.values() for value in values.values()) > 60
    assert found["q3"] == dict.fromkeys(MEASURES, 0.0)


def test_the_mean_is_over_all_judged_queries() -> None:
    qrels, run = graded(7)
    expected = scored(qrels, run)
    found = evaluate(qrels, run, MEASURES)
    for measure in MEASURES:
        assert found[measure] == pytest.approx(sum(values[measure] for values in expected.values()) / 60, abs=1e-12)
    assert evaluate({"a": {"1": 1}, "b": {"1": 1}}, {"a": {"1": 2.0}}, ["nDCG@10"]) == {"nDCG@10": 0.5}
    assert mean({}) == {}


def test_equal_scores_are_one_ranking_for_every_measure() -> None:
    """By id; ir_measures' own scorers would have it both ways here."""
    qrels = {"q": {"d05": 1}}
    run = {"q": {f"d{n:02}": 1.0 for n in reversed(range(20))}}
    found = by_query(qrels, run)["q"]
    assert found["RR@10"] == pytest.approx(1 / 6)
    assert found["AP@100"] == pytest.approx(1 / 6)
    assert found["nDCG@10"] == pytest.approx(0.3562, abs=1e-4)  # 1 / log2(7)


def test_scores_that_single_precision_cannot_tell_apart_keep_their_order() -> None:
    run = {"q": {"a": 16777216.0, "b": 16777216.5}}
    assert by_query({"q": {"b": 1}}, run, ["RR@10", "AP@100"]) == {"q": {"RR@10": 1.0, "AP@100": 1.0}}


def test_names_are_those_of_ir_measures() -> None:
    qrels, run = {"q": {"a": 1}}, {"q": {"b": 2.0, "a": 1.0}}
    assert evaluate(qrels, run, ["MRR@10", "P@2"]) == {"MRR@10": 0.5, "P@2": 0.5}
    for wrong in ("nDGC@10", "nDCG@", "hits at ten"):
        with pytest.raises(InputError, match=f"measure '{wrong}': ir_measures does not know it"):
            evaluate(qrels, run, [wrong])
