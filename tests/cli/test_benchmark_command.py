"""The benchmark commands: options, exit codes, errors of one line; whole runs are in test_benchmark_run.py."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from opensearch_lsr.cli import benchmark as command
from opensearch_lsr.cli.main import main
from opensearch_lsr.cli.quickstart import SAMPLE
from opensearch_lsr.errors import ClusterError, InputError
from opensearch_lsr.evaluation import benchmark, results
from opensearch_lsr.evaluation.run import Run
from opensearch_lsr.evaluation.suite import Scale
from opensearch_lsr.evaluation.systems import SYSTEMS

NOWHERE = "http://127.0.0.1:9"  # nothing listens there


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("OPENSEARCH_URL", NOWHERE)
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command.benchmark, [str(argument) for argument in arguments])


def a_run(gain: float = 0.125, error: str | None = None) -> results.Results:
    """What is left of a small run."""
    against = {"nDCG@10": {"difference": gain, "low": 0.01, "high": 0.26, "p": 0.02, "wins": 3, "ties": 1, "losses": 0}}
    values = {"nDCG@10": 0.5, "RR@10": 0.5, "R@100": 1.0, "AP@100": 0.5}
    systems = [
        {"name": "bm25", "title": "BM25", "relevance": values},
        {
            "name": "tokens",
            "title": "LSR (tokens)",
            "relevance": values | {"nDCG@10": 0.5 + gain},
            "against_baseline": against,
        },
    ]
    about = {"name": "taps", "started": "2026-11-23T09:12:44+00:00", "error": error}
    about["finished"] = None if error else "2026-11-23T09:13:07+00:00"
    entry = {"name": "taps", "baseline": "bm25", "documents": 8, "queries": 4, "systems": systems, "complete": True}
    return results.empty(about) | {"collections": [entry]}


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Run, bool]]:
    """What was asked of a benchmark that does nothing."""
    asked_for = []

    def measure(asked: Run, clean: bool = False) -> results.Results:
        asked_for.append((asked, clean))
        asked.results = a_run()
        return asked.results

    monkeypatch.setattr(benchmark, "measure", measure)
    return asked_for


def test_options_reach_the_suite(measured: list[tuple[Run, bool]], tmp_path: Path) -> None:
    done = run(
        *("run", SAMPLE, "-o", tmp_path / "out", "--system", "tokens", "--system", "bm25", "--split", "dev"),
        *("--grow", "2k, 400,1M,400", "--bundle", "default", "--bi-encoder", "owner/pair", "--drop-self"),
        *("--set", "seed=5", "--set", "latency.rounds=2", "--cache", tmp_path / "cache", "--cleanup"),
    )
    assert done.exit_code == 0, done.output
    ((asked, clean),) = measured
    suite = asked.suite
    assert clean
    assert asked.cache == tmp_path / "cache"
    assert suite.collections == (str(SAMPLE),)
    assert (suite.systems, suite.split, suite.seed) == (("tokens", "bm25"), "dev", 5)
    assert (suite.bundle, suite.bi_encoder, suite.drop_self) == ("default", "owner/pair", True)
    assert suite.scale == Scale((400, 2_000, 1_000_000))
    assert suite.latency is not None
    assert suite.latency.rounds == 2
    assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler


def test_what_is_shown_and_written(measured: list[tuple[Run, bool]], tmp_path: Path) -> None:
    shown = run("run", SAMPLE, "-o", tmp_path, "--no-latency")
    assert shown.exit_code == 0, shown.output
    assert "LSR (tokens)" in shown.stdout
    assert shown.stdout.splitlines()[-1] == str(tmp_path / "report.html")
    assert measured[0][0].suite.latency is None
    assert {"report.html", "table.md", "plots"} <= {path.name for path in tmp_path.iterdir()}
    as_json = run("run", SAMPLE, "-o", tmp_path, "--json")
    assert json.loads(as_json.stdout) == results.plain(a_run())


def test_a_suite_file_and_options_over_it(measured: list[tuple[Run, bool]], tmp_path: Path) -> None:
    file = tmp_path / "suite.toml"
    file.write_text(f'collections = ["{SAMPLE}"]\nsystems = ["bm25"]\nscale = {{ sizes = [9], systems = ["bm25"] }}')
    assert run("run", "--suite", file, "-o", tmp_path, "--grow", "1k").exit_code == 0
    ((asked, clean),) = measured
    assert not clean
    assert asked.cache == tmp_path / "cache"
    assert asked.suite.systems == ("bm25",)
    assert asked.suite.scale == Scale((1000,), None, ("bm25",))


def test_a_failure_is_reported_with_what_there_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def measure(asked: Run, clean: bool = False) -> None:
        asked.results = a_run(error="the cluster stopped answering")
        raise ClusterError("the cluster stopped answering")

    monkeypatch.setattr(benchmark, "measure", measure)
    done = run("run", SAMPLE, "-o", tmp_path)
    assert isinstance(done.exception, ClusterError)
    assert "the cluster stopped answering" in (tmp_path / "report.html").read_text()
    (hint,) = done.stderr.splitlines()
    assert hint.startswith(f"what was measured is in {tmp_path}, the same command goes on from there")


@pytest.mark.parametrize("sizes", ["", "10x", "0", "-5k", "1.5m", "10k,,20k"])
def test_sizes_that_are_none(tmp_path: Path, sizes: str) -> None:
    done = run("run", SAMPLE, "-o", tmp_path, "--grow", sizes)
    assert done.exit_code == 2
    assert "give sizes such as 10k,100k,1m" in done.stderr


def test_usage(tmp_path: Path) -> None:
    assert run("run", SAMPLE).exit_code == 2  # no -o
    nothing = run("run", "-o", tmp_path)
    assert nothing.exit_code == 2
    assert "name a collection, or a --suite" in nothing.stderr
    help_text = " ".join(run("run", "--help").stdout.replace(";", " ").replace(",", " ").replace(".", " ").split())
    assert [name for name in SYSTEMS if f" {name} " not in help_text] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no-such-folder"], "options: collections: no-such-folder: no such folder; give a BEIR folder"),
        ([SAMPLE, "--system", "bm52"], "system 'bm52': known are bm25, "),
        ([SAMPLE, "--set", "latency.quries=3"], "options: unknown key latency.quries; known here are queries"),
        ([SAMPLE, "--split", "dev"], "dev.tsv: no such split; this folder has: test"),
        ([SAMPLE, "--bundle", "no-such-bundle"], "no-such-bundle: no such folder; give a bundle's folder"),
        ([SAMPLE, "--system", "dense", "--grow", "1k"], "scale.systems: the first, dense, is the baseline"),
        ([SAMPLE, "--grow", "100"], "scale.sizes: handbook has 220 documents; grow it beyond that"),
        ([SAMPLE, "--grow", "400,9m"], "scale.sizes: handbook can be grown to 773,292 documents"),
        ([SAMPLE, "--set", "in_domain=['tax']"], "in_domain: tax is none of the collections, handbook"),
        ([SAMPLE, SAMPLE], "two collections are called handbook; rename the folder of one"),
        ([SAMPLE, "--system", "bm25"], "127.0.0.1:9: cannot be reached; is it up?"),
    ],
)
def test_an_error_is_one_line_and_leaves_nothing(
    arguments: list[object],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["opensearch-lsr", "benchmark", "run", *map(str, arguments), "-o", f"{tmp_path}/o"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert message in line
    assert not (tmp_path / "o").exists()


def test_a_bad_suite_file_is_named_with_its_key(tmp_path: Path) -> None:
    (tmp_path / "suite.toml").write_text("collections = []\n[latency]\nrounds = 'x'")
    done = run("run", "--suite", tmp_path / "suite.toml", "-o", tmp_path / "out")
    assert isinstance(done.exception, InputError)
    assert str(done.exception) == f"{tmp_path / 'suite.toml'}: latency.rounds is 'x'; it is of type int"


@pytest.fixture
def saved(tmp_path: Path) -> Callable[..., Path]:
    def save(name: str, **values: Any) -> Path:
        results.save(tmp_path / name, a_run(**values))
        return tmp_path / name

    return save


def test_compare(saved: Callable[..., Path]) -> None:
    before, after = saved("before"), saved("after", gain=0.25)
    shown = run("compare", before, after)
    assert shown.exit_code == 0, shown.output
    rows = [line.split() for line in shown.stdout.splitlines()]
    assert ["taps", "tokens", "nDCG@10", "0.625", "0.750", "0.125", "–", "–", "–"] in rows
    found = json.loads(run("compare", before, after / "results.json", "--json").stdout)
    key = {"collection": "taps", "system": "tokens", "measure": "nDCG@10"}
    assert key | {"a": 0.625, "b": 0.75, "difference": 0.125} | dict.fromkeys(("low", "high", "p")) in found
    for folder, better in ((before, 0.0), (after, 0.125)):
        values = {f"q{n}": {"nDCG@10": 0.5 + better * (n % 3)} for n in range(4)}
        results.save_values(folder, "taps", "tokens", values)
    (row,) = [row for row in json.loads(run("compare", before, after, "--json").stdout) if row["p"] is not None]
    assert key.items() <= row.items()
    assert row["low"] < row["difference"] <= row["high"]
    results.save(after, results.load(after) | {"run": {"name": "taps", "versions": {"numpy": "2.1"}}})
    for said in (run("compare", before, after), run("compare", before, after, "--json")):
        assert said.stderr == "not alike: versions numpy: None / 2.1\n"
    assert isinstance(run("compare", before, "nowhere").exception, InputError)


def test_the_gate_opens_and_shuts(saved: Callable[..., Path]) -> None:
    folder = saved("run")
    opened = run("gate", folder, "--min-ndcg", "0.6", "--min-gain", "0.1")
    assert (opened.exit_code, opened.stdout) == (0, "all limits are kept\n")
    shut = run("gate", folder, "--min-ndcg", "0.7", "--max-p95-ratio", "1.5")
    assert shut.exit_code == 3
    assert [line.partition(":")[0] for line in shut.stdout.splitlines()] == ["taps, tokens"] * 2
    as_json = run("gate", folder, "--min-gain", "0.2", "--json", "--system", "tokens", "--collection", "taps")
    assert as_json.exit_code == 3
    found = json.loads(as_json.stdout)
    assert (found["passed"], len(found["failures"])) == (False, 1)
    assert run("gate", folder).exit_code == 2  # no limit
    failed = run("gate", saved("failed", error="the cluster stopped answering"), "--min-ndcg", "0.1")
    assert failed.exit_code == 3


def test_cleaning_up_needs_a_run(tmp_path: Path, saved: Callable[..., Path]) -> None:
    nothing = run("cleanup", tmp_path)
    assert isinstance(nothing.exception, InputError)
    assert isinstance(run("cleanup", saved("run")).exception, ClusterError)  # nothing listens there
