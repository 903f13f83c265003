"""A migration that is killed is completed by running it again; one that is interrupted leaves everything as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from migrating import holds, serve, texts, write
from opensearchpy import OpenSearch
from opensearchpy.exceptions import AuthorizationException
from state import snapshot

from opensearch_lsr import migrate, rollback
from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster import status
from opensearch_lsr.cluster.deployed import deployed
from opensearch_lsr.cluster.handover import block
from opensearch_lsr.cluster.migrate import abort

pytestmark = pytest.mark.cluster
MOMENTS = {  # moment, which of the requests, which requests
    "the index is made": ("after", 1, r"PUT /[a-z0-9-]+-[0-9a-f]{8}$"),
    "it is opened for writing": ("before", 1, r"POST /_aliases"),
    "while copying": ("before", 3, r"POST /_bulk"),
    "when all is copied": ("after", 1, r"_search/point_in_time"),
    "before writes are refused": ("before", 1, r"/_block/write"),
    "when writes are refused": ("after", 1, r"/_block/write"),
    "before the swap": ("before", 2, r"POST /_aliases"),
    "after the swap": ("after", 2, r"POST /_aliases"),
}


def run(url: str, moment: str, signal: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    place, number, pattern = MOMENTS[moment]
    script = str(Path(__file__).with_name("killed_migrate.py"))
    command = [sys.executable, script, place, str(number), pattern, signal, *arguments]
    return subprocess.run(command, env={**os.environ, "OPENSEARCH_URL": url}, capture_output=True, text=True)


def changed(client: OpenSearch, served: Bundle, alias: str, documents: dict[str, str]) -> bool:
    """What an application does in between: one document changed, one deleted, one made; False when it is refused."""
    gone = sorted(documents)[3]
    try:
        client.delete(index=alias, id=gone)
    except AuthorizationException:
        return False
    del documents[gone]
    for identifier in ("d2", f"made{len(documents)}"):
        documents[identifier] = "water changed since"
        write(client, served, alias, identifier, documents[identifier])
    return True


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_and_run_again(client: OpenSearch, url: str, old: Bundle, new: Bundle, alias: str, moment: str) -> None:
    documents = texts(60)
    former = serve(client, old, alias, documents).index
    assert run(url, moment, "SIGKILL", "migrate", alias, str(new.path)).returncode == -9
    swapped = moment == "after the swap"
    assert (deployed(client, alias).index == former) is not swapped
    refused = moment in ("when writes are refused", "before the swap")
    assert changed(client, new if swapped else old, alias, documents) is not refused
    assert any(resource.kind == "writes" for resource in status.resources(client, alias)) is refused
    done = migrate(client, alias, new)
    assert (done.former == former) is not swapped
    holds(client, alias, new, documents)
    assert changed(client, new, alias, documents)
    rollback(client, alias, old.path)
    holds(client, former, old, documents)


@pytest.mark.parametrize("moment", ["while copying", "when writes are refused"])
@pytest.mark.parametrize("signal", ["SIGTERM", "SIGINT"])
def test_interrupted_it_leaves_everything_as_it_was(
    client: OpenSearch, url: str, old: Bundle, new: Bundle, alias: str, moment: str, signal: str
) -> None:
    documents = texts(60)
    former = serve(client, old, alias, documents).index
    before = snapshot(client)
    assert run(url, moment, signal, "migrate", alias, str(new.path)).returncode == 1
    assert not block.is_put(client, former)
    assert changed(client, old, alias, documents)
    abort(client, alias)
    assert snapshot(client) == before
    holds(client, alias, old, documents)


@pytest.mark.parametrize("moment", ["while copying", "when writes are refused", "before the swap", "after the swap"])
def test_killed_while_rolling_back(
    client: OpenSearch, url: str, old: Bundle, new: Bundle, alias: str, moment: str
) -> None:
    documents = texts(60)
    former = serve(client, old, alias, documents).index
    later = migrate(client, alias, new).target.index
    for i in range(50):  # more than one bulk request of changes
        documents[f"d{i}"] = f"water changed {i}"
        write(client, new, alias, f"d{i}", documents[f"d{i}"])
    killed = run(url, moment, "SIGKILL", "rollback", alias, "--bundle", str(old.path))
    assert killed.returncode == -9, killed.stderr
    swapped = moment == "after the swap"
    assert deployed(client, alias).index == (former if swapped else later)
    changed(client, old if swapped else new, alias, documents)
    if moment == "while copying":
        assert abort(client, alias) == former
        assert block.is_put(client, former)
        assert not block.is_put(client, later)
        assert changed(client, new, alias, documents)
    rollback(client, alias, old.path)
    assert deployed(client, alias).index == former
    holds(client, alias, old, documents)
