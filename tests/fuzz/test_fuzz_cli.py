"""Every command with any options: an answer or one line, no traceback, and nothing left of what failed."""

from __future__ import annotations

import json
import shutil
import signal
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import command_lines
import pytest
import small_bundle
from click.testing import CliRunner
from fuzzing import fuzz, refused
from hypothesis import strategies as st
from nasty import json_lines

from opensearch_lsr.cli.main import main

IMPORTED = ["torch", "sentence_transformers", "matplotlib.pyplot", "ir_measures", "onnxruntime", "bm25s", "datasets"]
CODES = {0, 1, 2, 3}
ONGOING = ("train", "benchmark")  # keep what they began, to go on with


@pytest.fixture(scope="module")
def folder(place: Path) -> Iterator[Path]:
    """The good files of :data:`command_lines.GOOD`."""
    for module in IMPORTED:  # their time is not the first case's
        import_module(module)
    small_bundle.write(place / "bundle")
    (place / "beir" / "qrels").mkdir(parents=True)
    corpus = "".join(f'{{"_id": "{i}", "title": "tap", "text": "water tap {i}"}}\n' for i in range(5))
    for name in ("corpus.jsonl", "beir/corpus.jsonl"):
        (place / name).write_text(corpus)
    (place / "beir" / "queries.jsonl").write_text('{"_id": "q", "text": "tap"}\n')
    for split in ("test", "train"):
        (place / "beir" / "qrels" / f"{split}.tsv").write_text("query-id\tcorpus-id\tscore\nq\t1\t1\n")
    (place / "pairs.jsonl").write_text('{"query": "tap", "pos": ["water tap"], "negs": ["fire"]}\n' * 3)
    (place / "mapping.json").write_text('{"properties": {}}')
    (place / "recipe.toml").write_text('name = "a"\nmodel.backbone = "bundle"\ndata.train = ["pairs.jsonl"]\n')
    (place / "suite.toml").write_text('collections = ["beir"]\n')
    (place / "results").mkdir()
    (place / "results" / "results.json").write_text(json.dumps({"schema": 1, "run": {"name": "bench-a"}}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENSEARCH_URL", "http://127.0.0.1:1")  # nothing listens there
        yield place


def call(arguments: list[str], typed: bytes) -> tuple[object, str, str]:
    """The exit code, what is on stdout, and what is on stderr, of the command as it is installed."""
    stopping = signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch, CliRunner().isolation(input=typed) as (out, err, _):
        patch.setattr(sys, "argv", ["opensearch-lsr", *arguments])
        code: object = 0
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        finally:
            signal.signal(signal.SIGTERM, stopping)
        sys.stdout.flush()
        sys.stderr.flush()
        return code, out.getvalue().decode(), err.getvalue().decode()


@fuzz("command line", 0.6, arguments=command_lines.lines(), typed=st.one_of(st.just(b""), json_lines("_id", "text")))
def test_every_command_answers_or_says_why_not(folder: Path, arguments: list[str], typed: bytes) -> None:
    before = set(folder.iterdir())
    try:
        code, _, err = call(arguments, typed)
        left = set(folder.iterdir()) - before
    finally:
        for path in set(folder.iterdir()) - before:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert code in CODES
    assert not left or code in (0, 3) or arguments[0] in ONGOING, f"{left} is left of {arguments}: {err}"
    if code == 1 and arguments[:2] != ["cluster", "status"]:
        *_, last = err.strip().splitlines()
        assert last.startswith(("error: ", "Aborted!")), err
        refused(last)
