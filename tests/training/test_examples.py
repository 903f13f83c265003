"""What a recipe learns from: whose documents, which queries."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import datasets
import pytest

from opensearch_lsr.cli.quickstart import SAMPLE
from opensearch_lsr.data.training_set import TrainingSet
from opensearch_lsr.errors import InputError
from opensearch_lsr.training import examples
from opensearch_lsr.training.recipe import Data, Recipe

Make = Callable[..., Recipe]


def rows(folder: Path, *records: dict[str, object]) -> Data:
    file = folder / "data.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return Data(train=(str(file),))


def test_topics_of_texts_without_a_common_word() -> None:
    found = TrainingSet()
    for word in ("snow", "water", "tap", "pipe"):
        found.add(word, [word])
    with pytest.raises(InputError, match="set batches.random_share = 1"):
        examples.topics(found, seed=0)


def test_queries_without_their_documents_words(tiny_recipe: Make, tmp_path: Path) -> None:
    """Asked beside the whole ones, of the same documents; a twin of two words at least, never of rows with scores."""
    own = rows(
        tmp_path,
        {"query": "does snow bend the old pipe?", "pos": "Pipes, and snow", "negs": ["tap water"]},
        {"query": "snow and pipe", "pos": "a pipe in the snow"},
        {"query": "nothing shared here", "pos": "tap"},
        {"query": "snow on old roofs", "docs": ["snow", "tap"], "scores": [1.0, 0.0]},
    )
    recipe = tiny_recipe(data=replace(own, unmatched=1.0))
    before, after = examples.gather(replace(recipe, data=own)), examples.gather(recipe)
    assert after.rows[: len(before.rows)] == before.rows
    (added,) = after.rows[len(before.rows) :]
    assert after.queries[added.query] == "bend old pipe"
    assert [after.documents[index] for index in added.documents] == ["Pipes, and snow", "tap water"]


def test_a_share_of_the_queries(tiny_recipe: Make, tmp_path: Path) -> None:
    own = rows(tmp_path, *({"query": f"snow number{n} roof{n}", "pos": f"snow {n}"} for n in range(200)))
    recipe = tiny_recipe(data=replace(own, unmatched=0.25))
    added = len(examples.gather(recipe).rows) - 200
    assert 30 < added < 70
    assert len(examples.gather(recipe).rows) - 200 == added


def test_what_another_split_asks_for_stays_unseen_in_a_file_too(tiny_recipe: Make) -> None:
    """The sample's judged documents, as a folder and as its corpus file."""
    recipe = tiny_recipe(data=Data(pseudo_queries=(str(SAMPLE),)))
    folder = examples.gather(recipe)
    file = examples.gather(replace(recipe, data=Data(pseudo_queries=(str(SAMPLE / "corpus.jsonl"),))))
    assert folder.documents == file.documents
    assert len(folder.documents) < 200 < sum(1 for _ in (SAMPLE / "corpus.jsonl").open())


def test_what_packed_judgments_ask_for_stays_unseen_too(tiny_recipe: Make, tmp_path: Path) -> None:
    """The sample with its test split compressed."""
    folder = shutil.copytree(SAMPLE, tmp_path / "sample")
    judgments = folder / "qrels" / "test.tsv"
    judgments.with_name("test.tsv.gz").write_bytes(gzip.compress(judgments.read_bytes()))
    judgments.unlink()
    found = [examples.gather(tiny_recipe(data=Data(pseudo_queries=(str(place),)))) for place in (SAMPLE, folder)]
    assert found[0].documents == found[1].documents


@pytest.mark.parametrize("negatives", [{}, {"negative_1": ["tap water"], "negative_2": ["a dog"]}])
def test_a_data_set_of_the_hub(
    tiny_recipe: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, negatives: dict[str, list[str]]
) -> None:
    """With negatives and without."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "pairs").mkdir()
    table = datasets.Dataset.from_dict({"query": ["old pipe"], "positive": ["a pipe"], **negatives})
    table.to_parquet(tmp_path / "pairs" / "train.parquet")
    found = examples.gather(tiny_recipe(data=Data(hub=(str(tmp_path / "pairs"),))))
    (row,) = found.rows
    assert found.queries[row.query] == "old pipe"
    assert [found.documents[index] for index in row.documents] == ["a pipe", *(cell for (cell,) in negatives.values())]
