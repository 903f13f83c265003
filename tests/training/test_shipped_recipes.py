"""Every recipe that ships, run by its command for a few steps on a tiny model, and exported.

Those for causal LMs: test_causal_recipes.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from opensearch_lsr.cli.quickstart import SAMPLE
from opensearch_lsr.cli.train import train
from opensearch_lsr.export.export import export
from opensearch_lsr.training import recipe_file
from opensearch_lsr.training.recipe import Teacher


def tiny_teachers(teachers: tuple[Teacher, ...], dense: Path, sparse: Path) -> list[str]:
    """Settings that replace the Hub's models."""
    folders = {"dense": dense, "sparse": sparse}
    return [
        f"teachers.{place}.model={folders[teacher.kind]}" for place, teacher in enumerate(teachers) if teacher.model
    ]


@pytest.mark.parametrize("name", [name for name in recipe_file.shipped() if not recipe_file.read(name).model.attention])
def test_a_shipped_recipe(
    name: str,
    masked_lm: Path,
    examples_file: Path,
    make_dense: Callable[..., Path],
    checkpoint_folder: Callable[..., Path],
    tmp_path: Path,
) -> None:
    shipped = recipe_file.read(name)
    settings = [
        f"model.backbone={masked_lm}",
        "model.max_length=64",
        "batches.size=8",
        "training.steps=3",
        "training.log_every=1",
        "training.bf16=false",
        f'data.pseudo_queries=["{SAMPLE}"]' if name == "inference-free" else f'data.train=["{examples_file}"]',
        *tiny_teachers(shipped.teachers, make_dense(), checkpoint_folder("router")),
    ]
    if shipped.model.query == "table":
        settings.append(f"model.token_weights={masked_lm / 'idf.json'}")
    if shipped.training.train_length:
        settings.append("training.train_length=32")
    out = tmp_path / name
    arguments = [name, "-o", str(out), "--json", *(part for setting in settings for part in ("--set", setting))]
    result = CliRunner().invoke(train, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["path"] == str(out)
    losses = [json.loads(line)["loss"] for line in (out / "run" / "log.jsonl").read_text().splitlines()[:3]]
    assert len(losses) == 3
    assert all(loss > 0 for loss in losses)
    bundle = export(out, tmp_path / "bundle")
    assert bundle.config.query == shipped.model.query
    assert bundle.config.activation == "log1p_" * ((shipped.model.logs or 2) - 1) + "relu"
