"""The train command: a recipe in a file, settings on the line, and errors of one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from opensearch_lsr.cli.main import main
from opensearch_lsr.cli.quickstart import SAMPLE
from opensearch_lsr.cli.train import train
from opensearch_lsr.errors import InputError, LSRError
from opensearch_lsr.training import recipe_file


def run(*arguments: object) -> Result:
    return CliRunner().invoke(train, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def recipe(checkpoint_folder: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four steps on eight pairs, which stand beside it."""
    folder = tmp_path_factory.mktemp("recipe")
    words = ["water", "pipe", "snow", "dog", "cat", "tea", "bread", "lamp"]
    lines = [
        {"query": word, "pos": f"the {word} and a {other}"} for word, other in zip(words, words[::-1], strict=True)
    ]
    (folder / "pairs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "small.toml").write_text(
        f"""
        name = "small"
        data.train = ["pairs.jsonl"]
        model = {{ backbone = "{checkpoint_folder("mlm")}", token_weights = "ones", max_length = 32 }}
        batches.size = 4
        training = {{ steps = 4, log_every = 2, checkpoint_every = 2 }}
        """
    )
    return folder / "small.toml"


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)  # as in tests/training


def test_a_run(recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run(recipe, "-o", out)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        str(out),
        f"Next: opensearch-lsr export {out} -o {out}-bundle --quantize int8",
    ]
    assert (out / "modules.json").is_file()
    lines = [json.loads(line) for line in (out / "run" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "loss" in line] == [2, 4]
    shown = [line.split() for line in result.stderr.splitlines() if line.startswith("  ")]
    assert [line[0] for line in shown] == ["2/4", "4/4"]
    names = ["loss", "InfoNCE", "regularizer", "active_dims", "query_active_dims", "positive_first"]
    for line, logged in zip(shown, [line for line in lines if "loss" in line], strict=True):
        assert line[1::2] == names
        assert [float(value) for value in line[2::2]] == pytest.approx([logged[name] for name in names], rel=1e-3)
    assert "training for 4 steps …" in result.stderr.splitlines()


def test_adaptation_and_dev_splits_are_shown(recipe: Path, tmp_path: Path) -> None:
    result = run(
        recipe,
        *("-o", tmp_path / "out", "--set", "training.evaluate_every=4", "--set", "adaptation.steps=3"),
        *("--set", f"evaluation=[{{ folder = '{SAMPLE}', split = 'test', documents = 40, queries = 10 }}]"),
    )
    shown = [line.split() for line in result.stderr.splitlines() if line.startswith("  ")]
    assert [line[0] for line in shown] == ["3/3", "2/4", "4/4", "4/4"]
    assert shown[0][1] == "adaptation_loss"
    split = [f"handbook-test_{name}" for name in ("dot_ndcg@10", "query_active_dims", "corpus_active_dims")]
    assert shown[-1][1::2] == split


def test_set_and_json_with_a_dev_split(recipe: Path, tmp_path: Path) -> None:
    evaluation = f"evaluation=[{{ folder = '{SAMPLE}', split = 'test', documents = 40, queries = 10 }}]"
    result = run(recipe, "-o", tmp_path / "out", "--set", "training.steps=2", "--set", evaluation, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["path"] == str(tmp_path / "out")
    assert 0 <= found["dev"]["handbook-test_dot_ndcg@10"] <= 1
    assert "steps = 2\n" in (tmp_path / "out" / "README.md").read_text()
    again = run(recipe, "-o", tmp_path / "out", "--set", "training.steps=2", "--set", evaluation, "--resume")
    assert again.exit_code == 0
    assert f"{found['dev']['handbook-test_dot_ndcg@10']:.3f}" in again.stdout  # the table
    assert "handbook-test_dot_ndcg@10" in again.stdout


def test_dry_run(recipe: Path, tmp_path: Path) -> None:
    """Prints the whole recipe, which can be read again, and writes nothing."""
    result = run(recipe, "-o", tmp_path / "out", "--dry-run", "--set", "training.steps=7", "--set", "name=other")
    assert result.exit_code == 0
    assert not (tmp_path / "out").exists()
    again = tmp_path / "again.toml"
    again.write_text(result.stdout)
    (tmp_path / "pairs.jsonl").touch()
    found = recipe_file.read(again)
    assert (found.name, found.training.steps, found.batches.size) == ("other", 7, 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set", "training.stpes=7"], "unknown key training.stpes"),
        (["--set", "training.steps"], "not KEY=VALUE"),
        (["--resume"], "holds no run to resume; leave --resume out"),
        (["--set", "batches.size=9"], "8 examples do not fill a batch of 9"),
        (["--set", "model.token_weights=msmarco"], "vocabulary"),
        (["--set", 'data.train=["other.jsonl"]'], "other.jsonl is not there"),
    ],
)
def test_errors(recipe: Path, tmp_path: Path, options: list[str], message: str) -> None:
    result = run(recipe, "-o", tmp_path / "out", *options)
    assert isinstance(result.exception, LSRError)
    assert message in str(result.exception)
    assert not (tmp_path / "out" / "modules.json").exists()


def test_an_output_that_is_taken(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "modules.json").touch()
    result = run(recipe, "-o", tmp_path / "out")
    assert isinstance(result.exception, InputError)
    assert "holds a checkpoint; choose another output" in str(result.exception)


def test_an_error_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["opensearch-lsr", "train", "no-such-recipe", "-o", str(tmp_path / "out")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: no-such-recipe: no such recipe; shipped are ")


def test_usage() -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert "--resume" in result.stdout
    assert run("recipe.toml").exit_code == 2  # no -o
