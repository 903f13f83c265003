"""The recipes for causal LMs, by their command, on tiny models of each family; killed and gone on with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from sentence_transformers import SparseEncoder
from sentence_transformers.sparse_encoder.modules import SpladePooling
from tiny_causal import FAMILIES
from tiny_encoder import TEXTS, build, encode

from opensearch_lsr.cli.score import score
from opensearch_lsr.cli.train import train as command
from opensearch_lsr.data import training_set
from opensearch_lsr.export.export import export
from opensearch_lsr.training import checkpoint
from opensearch_lsr.training.recipe import Data, Objective, Recipe, Teacher
from opensearch_lsr.training.recipe_model import Adaptation, Lora
from opensearch_lsr.training.teachers import kept
from opensearch_lsr.training.train import train


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", ["csplade-echo", "csplade-bidirectional"])
def test_a_shipped_recipe(
    name: str, family: str, causal_lm: Callable[..., Path], examples_file: Path, tmp_path: Path
) -> None:
    """As shipped: adapters, bfloat16, activations computed twice, a learned table."""
    settings = [
        f"model.backbone={causal_lm(family)}",
        "model.max_length=32",
        "adaptation.steps=2",
        "adaptation.active_dims=60",
        "batches.size=8",
        "training.steps=3",
        "training.log_every=1",
        f'data.train=["{examples_file}"]',
    ]
    out = tmp_path / name
    arguments = [name, "-o", str(out), "--json", *(part for setting in settings for part in ("--set", setting))]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in (out / "run" / "log.jsonl").read_text().splitlines()]
    assert lines[0]["adaptation_loss"] > 0
    assert all(line["loss"] > 0 and line["active_dims"] > 1 for line in lines[1:4])
    encoder = checkpoint.load(out).eval()
    vectors = encode(encoder)
    assert (vectors > 0).sum() > 3
    assert not vectors[:, encoder.tokenizer.all_special_ids].any()
    assert "trust_remote_code=True" in (out / "README.md").read_text()
    assert (out / "idf.json").is_file()
    assert export(out, tmp_path / "bundle").config.parity["active_dims"] > 1


@pytest.mark.parametrize("lora", [None, Lora(4, 8, dropout=0.1)])
def test_killed_and_gone_on_with(
    lora: Lora | None, tiny_recipe: Callable[..., Recipe], causal_lm: Callable[..., Path], tmp_path: Path
) -> None:
    """To the weights of a run that was never killed, adapters included."""

    recipe = tiny_recipe(
        model={"backbone": str(causal_lm("gpt2")), "attention": "echo", "max_length": 32, "lora": lora},
        training={"steps": 6, "checkpoint_every": 2, "log_every": 1},
        adaptation=Adaptation(2, 8, 32, active_dims=60),
    )
    whole = train(recipe, tmp_path / "whole").path

    def kill(step: int, steps: int, figures: dict[str, float]) -> None:
        if step == 5 and "loss" in figures:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "killed", on_log=kill)
    assert (tmp_path / "killed" / "run" / "checkpoint-4").is_dir()
    resumed = train(recipe, tmp_path / "killed", resume=True).path
    one, other = (checkpoint.load(path).eval() for path in (whole, resumed))
    for name, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name
    torch.testing.assert_close(encode(other), encode(one))
    assert (encode(one) > 0).sum() > len(TEXTS)


@pytest.fixture
def teacher(causal_lm: Callable[..., Path], tmp_path: Path) -> Path:
    checkpoint.save(build(causal_lm("llama"), attention="echo", max_length=64), tmp_path / "teacher")
    return tmp_path / "teacher"


def test_as_a_teacher(
    teacher: Path,
    tiny_recipe: Callable[..., Recipe],
    examples_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Beside others in the ensemble, without logits; and by its scores, computed beforehand and killed on the way."""

    def refuse(*arguments: Any) -> Any:
        raise AssertionError("all logits were built")

    monkeypatch.setattr(SpladePooling, "forward", refuse)
    ensemble = (Teacher("sparse", str(teacher)), Teacher("bm25"))
    recipe = tiny_recipe(training={"steps": 2}, teachers=ensemble, objectives=(Objective("kl"),))
    seen: dict[str, float] = {}
    train(recipe, tmp_path / "live", on_log=lambda step, steps, figures: seen.update(figures))
    assert 0 <= seen["teacher_agreement"] <= 1

    monkeypatch.setattr(kept, "BLOCK", 32)
    encode, left = SparseEncoder.encode, [100]

    def killing(self: SparseEncoder, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        left[0] -= len(inputs)
        if left[0] < 0:
            raise KeyboardInterrupt
        return encode(self, inputs, *args, **kwargs)

    def scored(name: str) -> Path:
        arguments = [str(examples_file), "-o", str(tmp_path / name), "--with", str(teacher)]
        CliRunner().invoke(score, arguments)
        return tmp_path / name

    whole = scored("whole.jsonl")
    monkeypatch.setattr(SparseEncoder, "encode", killing)
    killed = scored("killed.jsonl")
    assert not killed.exists()
    left[0] = 10_000
    assert scored("killed.jsonl").read_bytes() == whole.read_bytes()
    assert 0 < 10_000 - left[0] < 160  # of 40 queries and 120 documents
    rows = training_set.read(whole)
    assert len(rows.rows) == 40
    precomputed = tiny_recipe(
        training={"steps": 2}, teachers=(Teacher("scores"),), objectives=(Objective("kl"),), data=Data((str(whole),))
    )
    train(precomputed, tmp_path / "precomputed")
