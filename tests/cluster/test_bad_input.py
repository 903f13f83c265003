"""What users get wrong is answered by one clear line and exit code 1, and nothing half-made stays."""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from opensearchpy import OpenSearch
from state import snapshot

from opensearch_lsr import deploy
from opensearch_lsr.bundle import Bundle

pytestmark = pytest.mark.cluster


@pytest.fixture
def lsr(url: str, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the command in an empty folder against the tests' cluster."""

    def run(*arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "opensearch_lsr.cli", *arguments]
        env = {**os.environ, "OPENSEARCH_URL": url, **environment}
        return subprocess.run(command, input=stdin, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120)

    return run


@pytest.fixture
def refused(lsr: Callable[..., subprocess.CompletedProcess[str]]) -> Callable[..., str]:
    """Run a command that must fail as an error of the user's: exit code 1, one line on stderr, which is returned."""

    def run(*arguments: str, **options: str) -> str:
        done = lsr(*arguments, **options)
        lines = done.stderr.strip().splitlines()
        assert done.returncode == 1, (done.returncode, done.stderr)
        assert len(lines) == 1, done.stderr
        assert lines[0].startswith("error: ")
        return lines[0]

    return run


class Forbidding(http.server.BaseHTTPRequestHandler):
    """A cluster that refuses the password, or that lacks the plugins: the embedded node has no security plugin."""

    answers: ClassVar[dict[str, tuple[int, object]]] = {}

    def do_GET(self) -> None:
        status, body = self.answers.get(self.path.partition("?")[0], self.answers["*"])
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    do_HEAD = do_POST = do_PUT = do_GET  # noqa: N815 - the base class's names

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def forged() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Forbidding)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_bundles(refused: Callable[..., str], client: OpenSearch, tiny: Bundle, alias: str, tmp_path: Path) -> None:
    import shutil

    before = snapshot(client)
    target = ("--alias", alias, "--field", "text")
    assert "nowhere: no such folder" in refused("deploy", "nowhere", *target)
    for part in ("onnx/model.onnx", "tokenizer.json"):
        copy = tmp_path / part.replace("/", "-")
        shutil.copytree(tiny.path, copy)
        (copy / part).write_bytes((copy / part).read_bytes()[:1000])
        assert "is not what was exported (fingerprint differs)" in refused("deploy", str(copy), *target)
    copy = tmp_path / "partial"
    shutil.copytree(tiny.path, copy)
    (copy / "idf.json").write_text(json.dumps({"water": 1.0}))
    assert "vocabulary tokens have no weight" in refused("deploy", str(copy), *target)
    assert "lower case" in refused("deploy", str(tiny.path), "--alias", "Articles", "--field", "text")
    (tmp_path / "mapping.json").write_text('{"props": {}}')
    assert "unknown key 'props'" in refused("deploy", str(tiny.path), *target, "--mapping", "mapping.json")
    assert "no such index (--from)" in refused("deploy", str(tiny.path), *target, "--from", "nowhere")
    assert snapshot(client) == before


def test_clusters(refused: Callable[..., str], forged: str, tiny: Bundle) -> None:
    target = (str(tiny.path), "--alias", "a", "--field", "text")
    unreachable = refused("deploy", *target, "--url", "http://127.0.0.1:9")
    assert "http://127.0.0.1:9: cannot be reached; is it up?" in unreachable
    assert "give http://host:port" in refused("deploy", *target, "--url", "localhost")
    for secret in ("http://me:secret@localhost:9200", "me:secret@localhost:9200"):
        message = refused("deploy", *target, "--url", secret)
        assert "carries a user name or a password" in message
        assert "secret" not in message
    assert "give http://host:port" in refused("deploy", *target, "--url", "http://host:abc")
    Forbidding.answers = {"*": (401, {"error": "Unauthorized"})}
    wrong = refused("deploy", *target, "--url", forged, OPENSEARCH_USERNAME="me", OPENSEARCH_PASSWORD="secret")
    assert "user name or password refused (401)" in wrong
    assert "secret" not in wrong
    Forbidding.answers = {
        "/": (200, {"version": {"number": "3.6.0"}}),
        "/_cat/plugins": (200, []),
        "/_cat/nodes": (200, [{"name": "n1"}]),
        "*": (500, {"error": "nothing else may be asked"}),
    }
    missing = refused("deploy", *target, "--url", forged)
    assert "plugin opensearch-neural-search is missing on n1: install it" in missing
    assert "plugin opensearch-ml is missing on n1" in missing
    Forbidding.answers["/"] = (200, {"version": {"number": "2.11.1"}})
    assert "OpenSearch 2.11 lacks neural_sparse with query_tokens: upgrade to 2.14" in refused(
        "deploy", *target, "--url", forged
    )


def test_documents(refused: Callable[..., str], client: OpenSearch, tiny: Bundle, alias: str, tmp_path: Path) -> None:
    deploy(client, tiny, alias=alias, fields=["text"], encode="client")
    use = ("--alias", alias, "--bundle", str(tiny.path))
    assert "nowhere.jsonl: no such file" in refused("index", "nowhere.jsonl", *use)
    assert not list(tmp_path.glob("*.rejects.jsonl"))
    lines = [
        '{"_id": "1", "text": "water"}',
        '{"_id": "2", ',
        '{"_id": "1", "text": "again"}',
        '{"_id": "3", "text": ""}',
    ]
    (tmp_path / "docs.jsonl").write_text("\n".join(lines))
    message = refused("index", "docs.jsonl", *use)
    assert "docs.jsonl:2: not JSON" in message
    assert "and 2 more; the refused lines are in docs.jsonl.rejects.jsonl" in message
    kept = [json.loads(line) for line in (tmp_path / "docs.jsonl.rejects.jsonl").read_text().splitlines()]
    assert [reject["line"] for reject in kept] == lines[1:]
    assert client.count(index=alias)["count"] == 1
    assert "no such alias" in refused("index", "docs.jsonl", "--alias", "nowhere")
    assert "has no model in the cluster" in refused("index", "docs.jsonl", *use, "--encode", "cluster")
    default = refused("index", "docs.jsonl", "--alias", alias)
    assert "give that bundle with --bundle" in default


def test_a_megabyte_of_text(
    lsr: Callable[..., subprocess.CompletedProcess[str]], client: OpenSearch, tiny: Bundle, alias: str
) -> None:
    deploy(client, tiny, alias=alias, fields=["text"], encode="client")
    long = json.dumps({"_id": "long", "text": "water leak " * 100_000})
    done = lsr("index", "-", "--alias", alias, "--bundle", str(tiny.path), stdin=long)
    assert done.returncode == 0, done.stderr
    assert done.stderr.strip() == "1 longer than 64 tokens: what is beyond was not encoded (deploy --chunk encodes all)"
    assert client.count(index=alias)["count"] == 1


def test_searches(refused: Callable[..., str], client: OpenSearch, tiny: Bundle, alias: str) -> None:
    deploy(client, tiny, alias=alias, fields=["text"], encode="client")
    assert "the query is empty" in refused("search", "", "--alias", alias)
    assert "no such alias" in refused("search", "water", "--alias", "nowhere")
    assert "nowhere: no such alias" in refused("expand", "water", "--alias", "nowhere")
    assert "give FIELD=VALUE" in refused("search", "water", "--alias", alias, "--filter", "lang")
    assert "has no document 'x'" in refused("explain", "water", "x", "--alias", alias)
    client.indices.create(index=f"{alias}-plain")
    assert "was not deployed by opensearch-lsr" in refused("search", "water", "--alias", f"{alias}-plain")


def test_usage_errors_exit_with_2(lsr: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = lsr("search", "water", "--alias", "a", "--prune", "best=3")
    assert done.returncode == 2
    assert "use max_ratio=R" in done.stderr
