"""A run that is interrupted and resumed ends with the weights of one that was not; and what resuming refuses."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny_checkpoint import make_idf, make_tokenizer

from opensearch_lsr.errors import InputError
from opensearch_lsr.training import callbacks, checkpoint, model, recipe_file, run_log
from opensearch_lsr.training.recipe import Recipe, Regularizer
from opensearch_lsr.training.recipe_model import Adaptation, Prior
from opensearch_lsr.training.train import RUN, train

Make = Callable[..., Recipe]
PLAN = {"steps": 8, "checkpoint_every": 3, "log_every": 1, "warmup": 2, "learning_rate": 1e-2}


def interrupt(at: int) -> run_log.OnLog:
    """Ends the run in the middle of a step, as ^C does."""

    def on_log(step: int, steps: int, figures: dict[str, float]) -> None:
        if step == at and "loss" in figures:
            raise KeyboardInterrupt

    return on_log


def state(folder: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = checkpoint.load(folder).state_dict()
    return state


def assert_equal(one: Path, other: Path) -> None:
    """Bit for bit."""
    expected, given = state(one), state(other)
    assert expected.keys() == given.keys()
    assert not [name for name, value in expected.items() if not torch.equal(given[name], value)]


def log(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / RUN / run_log.FILE).read_text().splitlines()]


def losses(folder: Path) -> dict[float, float]:
    return {line["step"]: line["loss"] for line in log(folder) if "loss" in line}


@pytest.fixture(scope="module")
def recipe(tiny_recipe: Make, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """All that has a state: dropout, a learned table, the prior, document frequencies, λ's controller, topics."""
    table = tmp_path_factory.mktemp("table") / "idf.json"
    table.write_text(json.dumps(make_idf(make_tokenizer())), encoding="utf-8")
    return tiny_recipe(
        model={"lexical_prior": Prior(), "learn_query_weights": True, "token_weights": str(table)},
        training=PLAN | {"dropout": 0.2, "head_learning_rate": 2e-2},
        batches={"queries": 1, "documents": 2, "random_share": 0.5},
        regularizer=Regularizer("df_flops", 0.1, threshold=5, schedule_steps=4, target_dims=20.0),
    )


@pytest.fixture(scope="module")
def whole(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that is never interrupted."""
    return train(recipe, tmp_path_factory.mktemp("whole") / "out").path


def test_the_run_moves_what_is_compared(recipe: Recipe, whole: Path) -> None:
    """Or equal weights would say nothing."""
    trained = state(whole)
    start = model.build(recipe.model).state_dict()
    moved = [name for name, value in trained.items() if name in start and not torch.equal(value, start[name])]
    assert any("SparseStaticEmbedding" in name or "query" in name for name in moved)
    assert any(name.endswith("scale") for name in moved)
    assert any(name.endswith("decoder.bias") for name in moved)
    kept = load_file(whole / RUN / "checkpoint-8" / callbacks.LOSS_STATE)
    assert kept["regularizer.regularizer.updates"] == 8
    assert kept["controller.product"] != 1


def test_interrupted_and_resumed(recipe: Recipe, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        train(recipe, out, on_log=interrupt(at=5))
    assert callbacks.latest(out / RUN) == out / RUN / "checkpoint-3"
    assert not (out / "modules.json").exists()
    train(recipe, out, resume=True)
    assert_equal(whole, out)
    assert losses(out) == losses(whole)
    files = [sorted(load_file(folder / RUN / "checkpoint-8" / callbacks.LOSS_STATE).items()) for folder in (whole, out)]
    for (name, expected), (_, given) in zip(*files, strict=True):
        assert torch.equal(expected, given), name


def test_another_seed_is_another_run(recipe: Recipe, whole: Path, tmp_path: Path) -> None:
    """The comparison above can fail."""
    train(replace(recipe, seed=2), tmp_path / "out")
    with pytest.raises(AssertionError):
        assert_equal(whole, tmp_path / "out")


def test_a_checkpoint_that_is_not_whole_is_passed_over(recipe: Recipe, whole: Path, tmp_path: Path) -> None:
    """Killed while writing checkpoint-6: its loss state, the last file, is missing, and a weight file is cut."""
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        train(recipe, out, on_log=interrupt(at=7))
    broken = out / RUN / "checkpoint-6"
    (broken / callbacks.LOSS_STATE).unlink()
    for file in broken.rglob("model.safetensors"):
        file.write_bytes(file.read_bytes()[:100])
    assert callbacks.latest(out / RUN) == out / RUN / "checkpoint-3"
    train(recipe, out, resume=True)
    assert_equal(whole, out)


def test_interrupted_twice(tiny_recipe: Make, tmp_path: Path) -> None:
    """A Siamese run without a state of the loss, stopped after each checkpoint."""
    recipe = tiny_recipe(model={"query": "encoder", "logs": 3}, training=PLAN)
    train(recipe, tmp_path / "whole")
    for at in (4, 7):
        with pytest.raises(KeyboardInterrupt):
            train(recipe, tmp_path / "out", resume=at > 4, on_log=interrupt(at))
    train(recipe, tmp_path / "out", resume=True)
    assert_equal(tmp_path / "whole", tmp_path / "out")


def test_interrupted_before_the_first_checkpoint(recipe: Recipe, whole: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "out", on_log=interrupt(at=2))
    train(recipe, tmp_path / "out", resume=True)
    assert_equal(whole, tmp_path / "out")


def test_interrupted_before_the_first_checkpoint_after_adaptation(
    tiny_recipe: Make, headless: Path, tmp_path: Path
) -> None:
    recipe = tiny_recipe(model={"backbone": str(headless)}, training=PLAN, adaptation=Adaptation(4, 8, 32))
    train(recipe, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "out", on_log=interrupt(at=2))
    train(recipe, tmp_path / "out", resume=True)
    assert_equal(tmp_path / "whole", tmp_path / "out")
    assert [line.get("adaptation_step") for line in log(tmp_path / "out")[:2]] == [4, None]  # once, though done twice


def test_adapted_and_resumed(tiny_recipe: Make, headless: Path, tmp_path: Path) -> None:
    """The adaptation is in the checkpoint and is not done again."""
    recipe = tiny_recipe(model={"backbone": str(headless)}, training=PLAN, adaptation=Adaptation(4, 8, 32))
    train(recipe, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "out", on_log=interrupt(at=5))
    seen: list[dict[str, float]] = []
    train(recipe, tmp_path / "out", resume=True, on_log=lambda step, steps, figures: seen.append(figures))
    assert not [figures for figures in seen if "adaptation_loss" in figures]
    first, *rest = log(tmp_path / "out")
    assert first == {"adaptation_step": 4, "adaptation_loss": first["adaptation_loss"]}
    assert not [line for line in rest if "adaptation_step" in line]
    assert first == log(tmp_path / "whole")[0]
    assert_equal(tmp_path / "whole", tmp_path / "out")


def test_a_finished_run_resumed_is_the_same(recipe: Recipe, whole: Path, tmp_path: Path) -> None:
    """As if killed while the checkpoint was written."""
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    for file in ("modules.json", "README.md", "document_0_Transformer/model.safetensors"):
        (out / file).unlink()
    train(recipe, out, resume=True)
    assert_equal(whole, out)
    assert (out / "README.md").read_text() == (whole / "README.md").read_text()


def message(recipe: Recipe, output: Path, **options: Any) -> str:
    """Of the error that a run ends with."""
    with pytest.raises(InputError) as raised:
        train(recipe, output, **options)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_refusals(recipe: Recipe, whole: Path, tmp_path: Path) -> None:
    nothing = tmp_path / "nothing"
    assert message(recipe, nothing, resume=True) == f"{nothing}: holds no run to resume; leave --resume out"
    assert not nothing.exists()
    changed = replace(recipe, training=replace(recipe.training, steps=9))
    assert "holds a run of another recipe" in message(changed, whole, resume=True)
    assert "holds a run; go on with --resume, or choose another output" in message(recipe, whole)
    done = tmp_path / "done"
    checkpoint.save(checkpoint.load(whole), done)
    assert "holds a checkpoint; choose another output" in message(recipe, done)
    assert "holds no run to resume" in message(recipe, done, resume=True)


KILLED = """
import os, signal, sys, torch
from pathlib import Path
from opensearch_lsr.training import recipe_file
from opensearch_lsr.training.train import train
torch.set_num_threads(1)

def on_log(step, steps, figures):
    if step == 5:
        os.kill(os.getpid(), signal.SIGKILL)

train(recipe_file.read(sys.argv[1]), Path(sys.argv[2]), on_log=on_log)
"""


def test_killed(masked_lm: Path, examples_file: Path, tmp_path: Path) -> None:
    """A process of its own, killed without a chance to tidy up."""
    file = tmp_path / "recipe.toml"
    file.write_text(
        f"""
        name = "killed"
        model = {{ backbone = "{masked_lm}", token_weights = "ones", max_length = 64 }}
        data.train = ["{examples_file}"]
        batches.size = 8
        training = {{ steps = 8, checkpoint_every = 3, log_every = 1, learning_rate = 1e-3 }}
        """
    )
    ended = subprocess.run([sys.executable, "-c", KILLED, str(file), str(tmp_path / "out")], capture_output=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()[-2000:]
    recipe = recipe_file.read(file)
    train(recipe, tmp_path / "out", resume=True)
    train(recipe, tmp_path / "whole")
    assert_equal(tmp_path / "whole", tmp_path / "out")
