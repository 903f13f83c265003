"""Which OpenSearch a node's data is of, and what may be started on it; with real data, see cluster/test_upgrade.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from opensearch_lsr.errors import NodeError
from opensearch_lsr.local import data_version
from opensearch_lsr.local.node import Node
from opensearch_lsr.local.releases import DEFAULT

COMMITTED = {"2.19.1": b"136407927", "2.19.6": b"136408427", "3.6.0": b"137277827", "9.1.2": b"143228027"}


def commit(data: Path, version: str, generation: str = "1") -> None:
    """As the server's state ends: a map of strings, each with its length before it."""
    state = data / "nodes" / "0" / "_state"
    state.mkdir(parents=True, exist_ok=True)
    number = COMMITTED[version]
    content = b"\x0cnode_version" + bytes([len(number)]) + number + b"\x15last_accepted_version\x0242"
    (state / f"segments_{generation}").write_bytes(content)


@pytest.mark.parametrize("version", COMMITTED)
def test_the_version_is_read_of_what_the_server_committed(tmp_path: Path, version: str) -> None:
    commit(tmp_path, version)
    assert data_version.read(tmp_path) == version


def test_the_last_commit_counts(tmp_path: Path) -> None:
    for version, generation in (("2.19.1", "z"), ("3.6.0", "10"), ("2.19.6", "9")):  # they count by letters, too
        commit(tmp_path, version, generation)
    assert data_version.read(tmp_path) == "3.6.0"


def test_without_data_any_version_may_be_started(tmp_path: Path) -> None:
    assert data_version.read(tmp_path) is None
    data_version.check("x", tmp_path, "2.19.1", upgrade=False)


@pytest.mark.parametrize("content", [b"", b"no such key", b"node_version\x03abc"])
def test_what_is_not_understood_is_left_to_the_server(tmp_path: Path, content: bytes) -> None:
    commit(tmp_path, "2.19.1")
    (tmp_path / "nodes" / "0" / "_state" / "segments_2").write_bytes(content)
    assert data_version.read(tmp_path) is None


def test_without_a_version_asked_for_that_of_the_data_is_started(tmp_path: Path) -> None:
    data = tmp_path / "nodes" / "x" / "data"
    commit(data, "2.19.1")
    assert Node("x", tmp_path).release.version == "2.19.1"
    assert Node("x", tmp_path, version="3.6.0").release.version == "3.6.0"
    assert Node("other", tmp_path).release.version == DEFAULT


def test_an_upgrade_is_asked_for_and_a_downgrade_refused(tmp_path: Path) -> None:
    data = tmp_path / "nodes" / "x" / "data"
    commit(data, "2.19.6")
    with pytest.raises(NodeError, match=r"node x has data of OpenSearch 2\.19\.6: leave out the version, or add --upg"):
        Node("x", tmp_path, version="3.6.0").start()
    data_version.check("x", data, "3.6.0", upgrade=True)
    with pytest.raises(NodeError, match=r"has data of OpenSearch 2\.19\.6, which 2\.19\.1 cannot read"):
        Node("x", tmp_path, version="2.19.1").start(upgrade=True)


def test_data_of_a_version_that_is_not_known_here_is_not_touched(tmp_path: Path) -> None:
    commit(tmp_path / "nodes" / "x" / "data", "9.1.2")
    with pytest.raises(NodeError, match=rf"has data of OpenSearch 9\.1\.2, which {DEFAULT} cannot read"):
        Node("x", tmp_path).start()
