"""What a node decides before it starts: where, with which heap and port, and which process it may touch."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from opensearch_lsr.errors import NodeError
from opensearch_lsr.local import machine
from opensearch_lsr.local import node as node_module
from opensearch_lsr.local.home import home
from opensearch_lsr.local.machine import GIB
from opensearch_lsr.local.node import Node
from opensearch_lsr.local.node_info import NodeInfo
from opensearch_lsr.local.ready import last_error


@pytest.mark.parametrize(
    ("memory", "heap"), [(3 * GIB, "1024m"), (4 * GIB, "1024m"), (8 * GIB, "2048m"), (64 * GIB, "4096m")]
)
def test_the_heap_is_a_quarter_of_the_memory_from_1_to_4_gib(memory: int, heap: str) -> None:
    assert machine.heap_for(memory) == heap


def test_a_machine_that_is_too_small_is_refused() -> None:
    with pytest.raises(NodeError, match=r"2\.0 GiB .*needs 3 GiB"):
        machine.heap_for(2 * GIB)


def test_a_taken_port_is_passed_over_and_refused_when_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        assert machine.free_port(None, preferred=taken) != taken
        with pytest.raises(NodeError, match=f"port {taken} is taken"):
            machine.free_port(taken)
    assert machine.free_port(taken) == taken


def test_a_port_taken_on_all_addresses_is_taken_on_loopback() -> None:
    with socket.create_server(("", 0)) as server, pytest.raises(NodeError):
        machine.free_port(server.getsockname()[1])


def test_the_home_is_the_named_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OPENSEARCH_LSR_HOME", str(tmp_path))
    assert home() == tmp_path


def test_the_home_of_root_is_the_systems_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENSEARCH_LSR_HOME", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert home() == Path("/var/cache/opensearch-lsr")


@pytest.mark.parametrize("cache", ["/somewhere/cache", None])
def test_the_home_of_a_user_is_the_cache_folder(monkeypatch: pytest.MonkeyPatch, cache: str | None) -> None:
    monkeypatch.delenv("OPENSEARCH_LSR_HOME", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", "/home/somebody")
    if cache:
        monkeypatch.setenv("XDG_CACHE_HOME", cache)
    else:
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert home() == Path(cache or "/home/somebody/.cache") / "opensearch-lsr"


@pytest.mark.parametrize("name", ["", "-", "a b", "../up", "a/b"])
def test_a_name_that_is_no_folder_name_is_refused(name: str) -> None:
    with pytest.raises(NodeError, match="node name"):
        Node(name)


def test_a_version_that_is_not_known_is_refused_with_those_that_are() -> None:
    with pytest.raises(NodeError, match=r"version '2\.19\.2' .*choose one of 2\.19\.1, 2\.19\.6, 3\.6\.0") as refusal:
        Node("x", version="2.19.2")
    assert "\n" not in str(refusal.value)
    assert Node("x").release.version == "3.6.0"


def test_a_node_of_another_version_is_not_taken_for_the_one_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = NodeInfo("x", "2.19.1", "http://127.0.0.1:9200", os.getpid(), "1g", 0.0, "log", "data")
    monkeypatch.setattr(Node, "status", lambda self: running)
    monkeypatch.setattr(node_module, "wait_until_ready", lambda *_: None)
    with pytest.raises(NodeError, match=r"node x runs OpenSearch 2\.19\.1 already: stop it first"):
        Node("x", tmp_path, version="3.6.0").start()
    assert Node("x", tmp_path, version="2.19.1").start() == running
    assert Node("x", tmp_path).start() == running


def test_a_node_without_tls_is_not_taken_for_a_secured_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = NodeInfo("x", "2.19.1", "http://127.0.0.1:9200", os.getpid(), "1g", 0.0, "log", "data")
    monkeypatch.setattr(Node, "status", lambda self: running)
    monkeypatch.setattr(node_module, "wait_until_ready", lambda *_: None)
    with pytest.raises(NodeError, match="node x runs without TLS and login already: stop it first"):
        Node("x", tmp_path, version="2.19.1").start(secure=True)


def test_what_was_secured_stays_so(tmp_path: Path) -> None:
    """Its data holds the password, and a version without the plugin would show all of it."""
    (tmp_path / "nodes" / "x" / "security").mkdir(parents=True)
    with pytest.raises(NodeError, match=r"3\.6\.0 is run without its security plugin: choose --version 2\.19\.1"):
        Node("x", tmp_path).start()


@pytest.mark.parametrize("record", ["", "{", "[]", '{"pid": 1}'])
def test_a_damaged_record_means_not_running(tmp_path: Path, record: str) -> None:
    node = Node("x", tmp_path)
    node.folder.mkdir(parents=True)
    (node.folder / "node.json").write_text(record)
    assert node.status() is None
    assert node.stop() is False


def test_a_process_that_is_not_the_node_is_neither_reported_nor_stopped(tmp_path: Path, foreign_process: int) -> None:
    node = Node("x", tmp_path)
    node.folder.mkdir(parents=True)
    record = {
        "name": "x",
        "version": "3.6.0",
        "url": "http://127.0.0.1:9200",
        "pid": foreign_process,
        "heap": "1g",
        "started": 0.0,
        "log": "log",
        "data": "data",
    }
    (node.folder / "node.json").write_text(json.dumps(record))
    assert node.status() is None
    assert node.stop() is False
    os.kill(foreign_process, 0)  # raises if it is gone
    assert not (node.folder / "node.json").exists()


def test_wiping_deletes_the_nodes_folder_and_no_other(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / "nodes" / name / "data").mkdir(parents=True)
    Node("one", tmp_path).stop(wipe=True)
    assert [folder.name for folder in (tmp_path / "nodes").iterdir()] == ["two"]


def test_the_reason_of_a_failed_start_is_the_last_telling_line(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "node.log"
    log.parent.mkdir()
    assert last_error(log) == "no log was written"
    (tmp_path / "console.log").write_text("starting\nError: Could not create the Java Virtual Machine.\nbye\n")
    assert last_error(log) == "Error: Could not create the Java Virtual Machine."
    log.write_text("[INFO ] hello\n[ERROR] unknown setting [no.such]\n\tat somewhere\n")
    assert last_error(log) == "[ERROR] unknown setting [no.such]"
