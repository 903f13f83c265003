"""Dev splits: drawn by the seed, thinned to what is judged and more, read to the encoder's own length."""

from __future__ import annotations

from pathlib import Path

import pytest
from sentence_transformers import SparseEncoder
from tiny_encoder import build

from opensearch_lsr.cli.quickstart import SAMPLE
from opensearch_lsr.errors import InputError
from opensearch_lsr.training import checkpoint
from opensearch_lsr.training.dev_splits import AtLength, evaluator
from opensearch_lsr.training.recipe import Evaluation

ASKED = Evaluation(str(SAMPLE), "test", documents=60, queries=20)


@pytest.fixture(scope="module")
def encoder(masked_lm: Path) -> SparseEncoder:
    return build(masked_lm)


def splits(max_length: int = 64, seed: int = 1, *asked: Evaluation) -> AtLength:
    found = evaluator(asked or (ASKED,), seed, max_length)
    assert found is not None
    return found


def test_read_to_the_length_asked_for_whatever_the_encoder_is_trained_at(encoder: SparseEncoder) -> None:
    transformer = checkpoint.document_modules(encoder)[0]
    whole, cut = splits(64)(encoder), splits(6)(encoder)
    assert whole["handbook-test_corpus_active_dims"] > cut["handbook-test_corpus_active_dims"]
    transformer.max_seq_length = 6
    try:
        assert splits(64)(encoder) == whole
        assert transformer.max_seq_length == 6
    finally:
        transformer.max_seq_length = 64


def test_the_length_comes_back_after_a_failure(encoder: SparseEncoder) -> None:
    class Broken:
        def __call__(self, *args: object) -> dict[str, float]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        AtLength([Broken()], 6)(encoder)
    assert checkpoint.document_modules(encoder)[0].max_seq_length == 64


def test_judged_documents_and_others(encoder: SparseEncoder) -> None:
    (part,) = splits().evaluators
    assert (len(part.queries), len(part.corpus)) == (20, 60)
    judged = set().union(*part.relevant_docs.values())
    assert judged < set(part.corpus_ids)
    assert splits(64, 1).evaluators[0].queries == part.queries
    assert splits(64, 2).evaluators[0].queries != part.queries


def test_the_main_score_is_the_mean_over_splits(encoder: SparseEncoder) -> None:
    figures = splits(64, 1, ASKED, Evaluation(str(SAMPLE), "test", documents=220, queries=5))(encoder)
    one, other = (splits(64, 1, asked)(encoder) for asked in (ASKED, Evaluation(str(SAMPLE), "test", 220, 5)))
    expected = (one["sequential_score"] + other["sequential_score"]) / 2
    assert figures["sequential_score"] == pytest.approx(expected)
    assert 0 < expected < 1


@pytest.mark.parametrize(
    ("judgments", "message"),
    [
        ("q\td\t0\n", "dev.tsv: no judgment with a grade above 0; name another split"),
        ("q\td\t1\nq\te\t1\n", "dev.tsv:3: judges document 'e', which is not in the corpus"),
        ("q\td\t1\np\td\t1\n", "dev.tsv:3: judges query 'p', which is not in queries.jsonl"),
    ],
)
def test_judgments_that_lead_nowhere(tmp_path: Path, judgments: str, message: str) -> None:
    """They would raise the figures, were they left out."""
    (tmp_path / "qrels").mkdir()
    (tmp_path / "corpus.jsonl").write_text('{"_id": "d", "text": "snow"}\n')
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "snow"}\n')
    (tmp_path / "qrels" / "dev.tsv").write_text("query-id\tcorpus-id\tscore\n" + judgments)
    with pytest.raises(InputError, match=message):
        evaluator((Evaluation(str(tmp_path)),), 1, 64)


def test_none() -> None:
    assert evaluator((), 1, 64) is None
