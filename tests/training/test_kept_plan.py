"""A resumed run takes the plan that was drawn, and refuses data that is not what the run began with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from opensearch_lsr.data.training_set import TrainingSet
from opensearch_lsr.errors import InputError
from opensearch_lsr.training import batches, checkpoint, kept_plan
from opensearch_lsr.training.kept_plan import KeptPlan, fingerprint
from opensearch_lsr.training.recipe import Data, Recipe
from opensearch_lsr.training.train import RUN, train

PLAN = np.arange(12, dtype=np.int32).reshape(4, 3)


def data(score: float = 1.0) -> TrainingSet:
    found = TrainingSet()
    found.add("q", ["a", "b"], [2.0, score])
    found.add("p", ["b"])
    return found


def stop(step: int, steps: int, figures: dict[str, float]) -> None:
    """As ^C does, after the checkpoint at step 2."""
    if step == 3:
        raise KeyboardInterrupt


def test_the_fingerprint_is_over_everything_in_its_order() -> None:
    others = [TrainingSet(["q"], ["p"]), TrainingSet(["q", "p"], []), TrainingSet(["p"], ["q"]), data(), data(0.5)]
    reordered = data()
    reordered.rows.reverse()
    assert len({fingerprint(one) for one in [*others, reordered]}) == 6
    assert fingerprint(data()) == fingerprint(data())


def test_kept_and_loaded(tmp_path: Path) -> None:
    assert KeptPlan(tmp_path, data(), 1).load() is None
    KeptPlan(tmp_path, data(), 1).save(PLAN)
    loaded = KeptPlan(tmp_path, data(), 1).load()
    assert loaded is not None
    assert (loaded.dtype, loaded.tolist()) == (np.int32, PLAN.tolist())
    assert sorted(file.name for file in tmp_path.iterdir()) == [kept_plan.PLAN, kept_plan.DATA]


def test_refusals(tmp_path: Path) -> None:
    (tmp_path / "out" / RUN).mkdir(parents=True)
    KeptPlan(tmp_path / "out" / RUN, data(), 2).save(PLAN)
    with pytest.raises(InputError) as raised:
        KeptPlan(tmp_path / "out" / RUN, data(), 1).load()
    assert str(raised.value) == (
        f"{tmp_path / 'out'}: the run began with 2 processes, not 1; resume it with as many "
        "(torchrun --nproc-per-node), or choose another output"
    )
    sizes = "2 queries, 2 documents and 2 rows"
    with pytest.raises(InputError) as raised:
        KeptPlan(tmp_path / "out" / RUN, data(0.5), 2).load()
    assert str(raised.value) == (
        f"{tmp_path / 'out'}: the data is not what the run began with ({sizes}; now {sizes}); "
        "restore it, or choose another output"
    )


def test_in_a_run(
    tiny_recipe: Callable[..., Recipe], examples_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An edited word is refused; the data as it was is gone on with, by a plan that another version would not draw."""
    file, out = tmp_path / "examples.jsonl", tmp_path / "out"
    text = examples_file.read_text(encoding="utf-8")
    file.write_text(text, encoding="utf-8")
    recipe = tiny_recipe(
        training={"steps": 4, "checkpoint_every": 2, "log_every": 1},
        batches={"random_share": 0.0},
        data=Data(train=(str(file),)),
    )
    train(recipe, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(recipe, out, on_log=stop)
    word = json.loads(text.splitlines()[0])["docs"][1].split()[0]
    file.write_text(text.replace(word, "another"), encoding="utf-8")
    with pytest.raises(InputError, match="the data is not what the run began with"):
        train(recipe, out, resume=True)
    file.write_text(text, encoding="utf-8")
    monkeypatch.setattr(batches, "_MOVES", 1)
    train(recipe, out, resume=True)
    expected, given = (checkpoint.load(folder).state_dict() for folder in (tmp_path / "whole", out))
    assert all((value == given[name]).all() for name, value in expected.items())
    train(recipe, tmp_path / "other")
    kept, drawn = (np.load(folder / RUN / kept_plan.PLAN) for folder in (out, tmp_path / "other"))
    assert (kept != drawn).any()
