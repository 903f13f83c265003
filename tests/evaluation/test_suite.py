"""Suites: what is read from files and options, where paths lie, and what is refused and how."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from opensearch_lsr.errors import InputError
from opensearch_lsr.evaluation import suite
from opensearch_lsr.evaluation.suite import Latency, Scale, Suite

SHIPPED = Path(__file__).parents[2] / "benchmarks" / "suites"
LEAST = 'collections = ["taps"]\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A suite beside its collection."""
    (tmp_path / "taps").mkdir()
    (tmp_path / "suite.toml").write_text(LEAST, encoding="utf-8")
    return tmp_path / "suite.toml"


def test_the_least(file: Path) -> None:
    assert suite.read(file) == Suite((str(file.parent / "taps"),))


def test_everything(file: Path) -> None:
    for name in ("bundle", "pair"):
        (file.parent / name).mkdir()
    file.write_text(
        """
        collections = ["taps", "ir_datasets:beir/scifact/test", "hub:owner/name"]
        split = "dev"
        systems = ["bm25", "tokens"]
        bundle = "bundle"
        bi_encoder = "pair"
        dense = "owner/model"
        seed = 7
        drop_self = true
        in_domain = ["taps"]
        latency = { queries = 5, rounds = 2, size = 20, clients = [1, 4], rates = [2], merge = false }
        scale = { sizes = [10, 20], collection = "taps", systems = ["bm25"] }
        """
    )
    taps = str(file.parent / "taps")
    assert suite.read(file, ["latency.track_total_hits=['false']"]) == Suite(
        (taps, "ir_datasets:beir/scifact/test", "hub:owner/name"),
        "dev",
        ("bm25", "tokens"),
        str(file.parent / "bundle"),
        str(file.parent / "pair"),
        "owner/model",
        7,
        True,
        ("taps",),
        Latency(5, 2, 20, (1, 4), (2.0,), ("false",), False),
        Scale((10, 20), taps, ("bm25",)),
    )


def test_options_go_over_settings_and_these_over_the_file(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths of options lie in the working directory; a split or a system is no path, whatever lies there."""
    elsewhere = tmp_path / "elsewhere"
    for name in ("pipes", "test", "bm25", "default", "model"):
        (elsewhere / name).mkdir(parents=True)
    monkeypatch.chdir(elsewhere)
    file.write_text(LEAST + 'split = "train"\nseed = 3\n[scale]\nsizes = [5]\nsystems = ["tokens"]\n')
    options: dict[str, Any] = {"collections": ["pipes", "hub:a/b"], "split": "test", "systems": ["bm25"]}
    options |= {"scale.sizes": [10, 20], "bundle": "default", "dense": "model"}
    found = suite.read(file, ["split=dev", "seed=4"], options)
    assert found.collections == (str(elsewhere / "pipes"), "hub:a/b")
    assert (found.split, found.seed, found.systems, found.bundle) == ("test", 4, ("bm25",), "default")
    assert found.dense == str(elsewhere / "model")
    assert found.scale == Scale((10, 20), None, ("tokens",))


def test_without_a_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    found = suite.read(None, ["latency.rounds=2"], {"collections": ["taps"]})
    assert found == Suite((str(file.parent / "taps"),), latency=Latency(rounds=2))


def test_variables_and_home_are_expanded(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(file.parent))
    monkeypatch.setenv("LSR_TEST_PLACE", str(file.parent))
    file.write_text('collections = ["$LSR_TEST_PLACE/taps"]\nscale = { sizes = [9], collection = "~/taps" }')
    found = suite.read(file)
    taps = str(file.parent / "taps")
    assert (found.collections, found.scale) == ((taps,), Scale((9,), taps))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("collections = [", "not TOML"),
        ("colections = []", "unknown key colections; known here are collections, split"),
        (f"{LEAST}latency.quries = 3", "unknown key latency.quries; known here are queries"),
        ('split = "test"', "collections is missing"),
        ("collections = []", "collections is empty"),
        ('collections = "taps"', "collections is 'taps'; it is a list"),
        ('collections = ["tap"]', "collections: tap: no such folder"),
        ('collections = ["$LSR_NOT_SET/taps"]', "collections is '$LSR_NOT_SET/taps', and that variable is not set"),
        (f'{LEAST}dense = "$LSR_NOT_SET"', "dense is '$LSR_NOT_SET', and that variable is not set"),
        (f"{LEAST}latency = 3", "latency is 3; it is a table, [latency]"),
        (f"{LEAST}latency.rounds = 0", "latency.rounds is 0; it is at least 1"),
        (f"{LEAST}latency.clients = [1, 9]", "latency.clients is [1, 9]; at most 8"),
        (f"{LEAST}latency.rates = [0]", "latency.rates is [0.0]; they are above 0"),
        (f"{LEAST}latency.track_total_hits = [false]", "latency.track_total_hits is False; it is one of default, fal"),
        (f"{LEAST}latency.track_total_hits = []", "latency.track_total_hits is empty"),
        (f"{LEAST}scale.sizes = []", "scale.sizes is []; give rising sizes"),
        (f"{LEAST}scale.sizes = [9, 8]", "scale.sizes is [9, 8]; give rising sizes"),
        (f"{LEAST}scale = {{ sizes = [9], collection = 'x' }}", "scale.collection: x: no such folder"),
        (
            f"{LEAST}latency.clients = [2]\nscale.sizes = [9]",
            "latency.clients is [2]; latency by size is taken with 1 client",
        ),
    ],
)
def test_refused(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(InputError) as raised:
        suite.read(file)
    line = str(raised.value)
    assert line.startswith(f"{file}: {message}")
    assert "\n" not in line


@pytest.mark.parametrize(
    ("settings", "options", "message"),
    [
        (["latency.rounds"], {}, "--set latency.rounds: not KEY=VALUE"),
        (["split.name=x", "split=y"], {"split.name": "z"}, "options: there is no such place"),
        (["seed=x"], {}, "options: seed is 'x'; it is of type int"),
        ([], {}, "options: collections is missing"),
    ],
)
def test_refused_options(settings: list[str], options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        suite.read(None, settings, options)


def test_no_such_suite(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nosuch.toml: no such suite; give a TOML file"):
        suite.read(tmp_path / "nosuch.toml")


@pytest.mark.parametrize("shipped", sorted(SHIPPED.glob("*.toml")), ids=lambda path: path.stem)
def test_shipped_suites(shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("scifact", "nfcorpus", "cranfield", "vaswani", "nq-qed-dev", "stackfaq", "cosqa"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("LSR_COLLECTIONS", str(tmp_path))
    monkeypatch.setenv("LSR_MINILM", str(tmp_path))
    found = suite.read(shipped)
    assert all(Path(given).is_dir() for given in found.collections)
    assert set(found.in_domain) <= {Path(given).name for given in found.collections}
    assert found.systems or found.scale is None, "else all systems are measured on the collection that is grown"
