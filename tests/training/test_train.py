"""Runs of a few steps on a tiny encoder: what is learned, what is written, what is refused."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny_checkpoint import WORDS

from opensearch_lsr.cli.quickstart import SAMPLE
from opensearch_lsr.data.training_set import TrainingSet
from opensearch_lsr.errors import CheckpointError, InputError
from opensearch_lsr.training import card, checkpoint, recipe_file, run_log
from opensearch_lsr.training.recipe import Data, Evaluation, Objective, Recipe, Regularizer, Teacher
from opensearch_lsr.training.recipe_model import Adaptation, Model
from opensearch_lsr.training.train import RUN, Trained, train

Make = Callable[..., Recipe]
MEASURES = ("ndcg@10", "mrr@10", "recall@100", "query_active_dims", "corpus_active_dims", "avg_flops")


def log(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / RUN / run_log.FILE).read_text().splitlines()]


def course(folder: Path, figure: str) -> list[float]:
    return [line[figure] for line in log(folder) if figure in line]


def write(file: Path, records: list[dict[str, Any]]) -> str:
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return str(file)


def translations(file: Path) -> str:
    """96 rows: a document of two words, scored 1, that the query has other words for, and two documents, scored 0.

    Nothing matches before it is learned: expansion.
    """
    chance = random.Random(0)
    words, others = WORDS.split()[-24:-12], WORDS.split()[-12:]
    records = []
    for _ in range(96):
        positive, *rest = (chance.sample(range(12), 2) for _ in range(3))
        docs = [" ".join(words[place] for place in two) for two in (positive, *rest)]
        records.append({"query": " ".join(others[place] for place in positive), "docs": docs, "scores": [1, 0, 0]})
    return write(file, records)


def test_learns(tiny_recipe: Make, headless: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(
        model={"backbone": str(headless), "logs": 1},
        adaptation=Adaptation(steps=0),
        training={"steps": 30, "learning_rate": 1e-2, "log_every": 1, "dropout": 0.0},
        batches={"size": 16},
        data=Data(train=(translations(tmp_path / "data.jsonl"),)),
    )
    train(recipe, tmp_path / "out")
    losses, first = course(tmp_path / "out", "loss"), course(tmp_path / "out", "positive_first")
    assert len(losses) == len(first) == 30
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])
    assert sum(first[-5:]) > 1.5 * sum(first[:5])


def test_regularizer_thins_documents_out(tiny_recipe: Make, tmp_path: Path) -> None:
    dims = []
    for weight in (0.0, 1.0):
        recipe = tiny_recipe(
            training={"steps": 15, "learning_rate": 1e-2, "log_every": 1}, regularizer=Regularizer(weight=weight)
        )
        train(recipe, tmp_path / str(weight))
        dims.append(course(tmp_path / str(weight), "active_dims")[-1])
    assert dims[1] < 0.7 * dims[0]


@pytest.fixture(scope="module")
def distilled(tiny_recipe: Make, headless: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Recipe, Trained]:
    """From the scores in the data: MarginMSE and KL over an example's own three documents; with a dev split."""
    recipe = tiny_recipe(
        model={"backbone": str(headless), "logs": 1},
        adaptation=Adaptation(steps=0),
        training={
            "steps": 24,
            "learning_rate": 3e-3,
            "log_every": 1,
            "evaluate_every": 12,
            "dropout": 0.0,
            "train_length": 6,  # which cuts the dev split's documents, and none of the data
        },
        batches={"documents": 3, "candidates": "own"},
        teachers=(Teacher("scores"),),
        objectives=(Objective("margin_mse", 0.1), Objective("kl")),
        data=Data(train=(translations(tmp_path_factory.mktemp("data") / "scored.jsonl"),)),
        evaluation=(Evaluation(str(SAMPLE), "test", documents=80, queries=20),),
        seed=3,
        scale=4.0,
        normalize="none",
        notes="Trained on nothing real.\nLicence: apache-2.0",
    )
    return recipe, train(recipe, tmp_path_factory.mktemp("distilled") / "out")


def test_distillation(distilled: tuple[Recipe, Trained]) -> None:
    """The student comes closer to the teacher in both terms, and in whom it ranks first."""
    folder = distilled[1].path
    for figure in ("loss", "MarginMSE", "KLDistillation"):
        values = course(folder, figure)
        assert len(values) == 24
        assert sum(values[-5:]) < 0.8 * sum(values[:5])
    agreement = course(folder, "teacher_agreement")
    assert sum(agreement[-5:]) > 1.3 * sum(agreement[:5])


def test_log(distilled: tuple[Recipe, Trained]) -> None:
    lines = [line for line in log(distilled[1].path) if "loss" in line]
    assert [line["step"] for line in lines] == list(range(1, 25))
    for line in lines:
        assert line["loss"] == pytest.approx(line["MarginMSE"] + line["KLDistillation"] + line["regularizer"], abs=2e-3)
        assert {"learning_rate", "active_dims", "query_active_dims", "positive_first", "teacher_agreement"} <= set(line)


def test_dev_figures(distilled: tuple[Recipe, Trained]) -> None:
    """While training and at the end, of the split's name; the last are those of the checkpoint."""
    _, trained = distilled
    names = [f"handbook-test_dot_{name}" for name in MEASURES[:3]] + [f"handbook-test_{name}" for name in MEASURES[3:]]
    assert set(names) <= set(trained.figures)
    assert 0 < trained.figures["handbook-test_dot_ndcg@10"] <= 1
    assert trained.figures["handbook-test_query_active_dims"] > 1
    evaluated = [line for line in log(trained.path) if any("ndcg" in name for name in line)]
    assert [line["step"] for line in evaluated] == [12, 24]
    last = {name.removeprefix("eval_"): value for name, value in evaluated[-1].items()}
    for name in ("handbook-test_dot_ndcg@10", "handbook-test_corpus_active_dims"):  # at max_length, not train_length
        assert last[name] == pytest.approx(trained.figures[name])


def test_card(distilled: tuple[Recipe, Trained], tmp_path: Path) -> None:
    """Seed, data, figures, and the recipe, which can be run again."""
    recipe, trained = distilled
    text = (trained.path / "README.md").read_text(encoding="utf-8")
    assert text.startswith("---\nlicense: apache-2.0\nlibrary_name: sentence-transformers\n")
    assert "an inference-free learned sparse encoder, trained by opensearch-lsr" in text
    assert "seed 3" in text
    assert "in 96 rows:\n\n- scored.jsonl\n" in text
    assert "Trained on nothing real." in text
    assert "\nBackbone: headless\n" in text
    assert f"| handbook-test_dot_ndcg@10 | {trained.figures['handbook-test_dot_ndcg@10']:.4f} |" in text
    assert "trust_remote_code" not in text
    assert str(Path(recipe.model.backbone).parent) not in text
    toml = text.partition("```toml\n")[2].partition("```")[0]
    for path in (recipe.model.backbone, *recipe.data.train, str(SAMPLE)):
        (tmp_path / Path(path).name).touch()
    (tmp_path / "again.toml").write_text(toml, encoding="utf-8")
    again = recipe_file.read(tmp_path / "again.toml")
    assert (again.seed, again.training, again.objectives) == (3, recipe.training, recipe.objectives)
    assert (again.batches, again.teachers) == (recipe.batches, recipe.teachers)


def test_card_names_the_owner_of_hub_data_and_backbone(distilled: tuple[Recipe, Trained], tmp_path: Path) -> None:
    recipe = replace(distilled[0], data=Data(hub=("owner/pairs",)), model=Model("owner/backbone"))
    card.write(tmp_path, recipe, "", TrainingSet(), {})
    text = (tmp_path / "README.md").read_text()
    assert "- owner/pairs\n" in text
    assert "\nBackbone: owner/backbone\n" in text


def test_card_says_what_it_does_not_know(distilled: tuple[Recipe, Trained], tmp_path: Path) -> None:
    unsaid = "What the backbone was trained on is not stated; the recipe's `notes` are the place to say it."
    assert unsaid not in (distilled[1].path / "README.md").read_text(encoding="utf-8")
    card.write(tmp_path, replace(distilled[0], notes="\n"), "", TrainingSet(), {})
    assert f"\n{unsaid}\n\n## Dev splits" in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_bf16_and_the_other_head_learn_the_same(tiny_recipe: Make, tmp_path: Path) -> None:
    """No dropout, same batches: the losses of the three runs stay close."""
    runs: list[tuple[dict[str, Any], dict[str, Any]]] = [({}, {}), ({"head": "logits"}, {}), ({}, {"bf16": True})]
    found = []
    for number, (asked, plan) in enumerate(runs):
        recipe = tiny_recipe(
            model=asked, training={"steps": 6, "log_every": 1, "dropout": 0.0} | plan, batches={"documents": 2}
        )
        train(recipe, tmp_path / str(number))
        found.append(course(tmp_path / str(number), "loss"))
    assert found[0] != found[2]
    assert found[1] == pytest.approx(found[0], rel=1e-3)
    assert found[2] == pytest.approx(found[0], rel=0.05)


def test_train_length_is_for_training_only(tiny_recipe: Make, tmp_path: Path) -> None:
    """The checkpoint reads all of max_length again."""
    out = train(tiny_recipe(training={"steps": 1, "train_length": 6}), tmp_path / "out").path
    short, long = checkpoint.load(out).encode_document(["snow snow snow snow", "snow " * 40 + "dog"])
    assert checkpoint.load(out).max_seq_length == 64
    assert (short.to_dense() != long.to_dense()).any()


def test_several_queries_from_a_corpus(tiny_recipe: Make, tmp_path: Path) -> None:
    """Pseudo-queries of the sample, three columns of them, topical batches, BM25 to learn from, a run to its end."""
    recipe = tiny_recipe(
        data=Data(pseudo_queries=(str(SAMPLE),), split="test", pseudo_per_document=4, pseudo_documents=60),
        batches={"queries": 3, "random_share": 0.25},
        teachers=(Teacher("bm25"),),
        objectives=(Objective("kl"), Objective("info_nce", 0.1, margin=3.0)),
    )
    steps: list[str] = []
    train(recipe, tmp_path / "out", on_step=steps.append)
    assert len(course(tmp_path / "out", "KLDistillation")) == 3
    assert "reading data" in steps
    assert any("batches from 60 documents" in step for step in steps)
    assert "- handbook" in (tmp_path / "out" / "README.md").read_text()


def test_rows_that_are_used(tiny_recipe: Make, examples_file: Path, tmp_path: Path) -> None:
    recipe = tiny_recipe(training={"steps": 1}, data=Data(train=(str(examples_file),), train_rows=9))
    train(recipe, tmp_path / "out")
    assert "9 queries and 27 documents in 9 rows" in (tmp_path / "out" / "README.md").read_text()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"data": Data()}, InputError, "recipe tiny: no data; set data.train"),
        ({"batches": {"size": 41}}, InputError, "40 examples do not fill a batch of 41"),
        ({"model": {"backbone": "no/such/backbone"}}, CheckpointError, "no/such/backbone: no such folder"),
        ({"evaluation": (Evaluation(str(SAMPLE), "dev"),)}, InputError, "dev.tsv"),
    ],
)
def test_refusals(
    tiny_recipe: Make, tmp_path: Path, changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as raised:
        train(tiny_recipe(**changes), tmp_path / "out")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_scores_teacher_without_scores(tiny_recipe: Make, tmp_path: Path) -> None:
    data = write(tmp_path / "pairs.jsonl", [{"query": word, "pos": f"a {word}"} for word in WORDS.split()[-16:]])
    recipe = tiny_recipe(teachers=(Teacher("scores"),), objectives=(Objective("kl"),), data=Data(train=(data,)))
    with pytest.raises(InputError, match="a teacher of kind scores, but the data has none"):
        train(recipe, tmp_path / "out")
