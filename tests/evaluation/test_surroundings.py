"""What a run's record says of where it was made."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from opensearchpy.exceptions import AuthorizationException

from opensearch_lsr import __version__
from opensearch_lsr.evaluation import surroundings


def test_versions_name_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "PACKAGES", ("opensearch-lsr", "no-such-package"))
    found = surroundings.versions()
    assert found["opensearch-lsr"] == __version__
    assert found.keys() == {"python", "opensearch-lsr"}


def test_the_machine() -> None:
    found = surroundings.machine()
    assert found["cores"] >= 1
    assert found["memory_bytes"] > 2**28
    assert found["cpu"]


def test_the_commit_says_when_the_copy_was_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "__file__", str(tmp_path / "package" / "evaluation" / "surroundings.py"))
    assert surroundings.commit() is None  # installed, no working copy

    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=n", "-c", "user.email=n@example.org"]
        done = subprocess.run(["git", *identity, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    git("init", "-q")
    assert surroundings.commit() is None  # nothing committed
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "-q", "-m", "one")
    whole = git("rev-parse", "HEAD")
    assert surroundings.commit() == whole[:12]
    (tmp_path / "file").write_text("two")
    assert surroundings.commit() == f"{whole[:12]}+"


def test_a_cluster_that_keeps_its_nodes_to_itself() -> None:
    """Forged: the embedded OpenSearch refuses nobody."""

    def refused(**_options: Any) -> None:
        raise AuthorizationException(403, "no permissions for [cluster:monitor/nodes/info]", {})

    def settings(**_options: Any) -> dict[str, Any]:
        return {"persistent": {"a": "1", "b": "1"}, "transient": {"b": "2", "some.client.secret": "x"}}

    client: Any = SimpleNamespace(
        info=lambda: {"version": {"number": "2.19.1", "distribution": "opensearch"}},
        nodes=SimpleNamespace(info=refused),
        cluster=SimpleNamespace(get_settings=refused),
    )
    assert surroundings.cluster(client) == {"version": "2.19.1", "distribution": "opensearch"}
    client.cluster.get_settings = settings
    assert surroundings.cluster(client)["settings"] == {"a": "1", "b": "2"}
