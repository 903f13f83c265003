"""The same roles where the cluster encodes, and where one encoder takes another one's place: more is asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from secured_cluster import ALIAS, Secured

from opensearch_lsr import deploy
from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster import bulk, models, search, status
from opensearch_lsr.data.documents import Document

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
TEXTS = {"1": "water leak in the kitchen", "2": "red bike on the road", "3": "cold winter snow"}


def test_encoding_in_the_cluster(secured: Secured, tiny: Bundle) -> None:
    """Model, ingest pipeline and index are made, used and taken away by the same roles."""
    deployer, indexer, searcher = (secured.client(f"lsr-{task}") for task in ("deployer", "indexer", "searcher"))
    wish: dict[str, Any] = {"alias": ALIAS, "fields": ["text"], "encode": "cluster"}
    made = deploy(deployer, tiny, **wish)
    report = bulk.load(indexer, made, [Document(i, {"text": text}, i) for i, text in TEXTS.items()], None)
    assert (report.indexed, report.rejected) == (len(TEXTS), 0)
    assert search.search(searcher, ALIAS, "water leak")[0].id == "1"
    states = {resource.kind: resource.state for resource in status.resources(deployer, ALIAS)}
    assert states["model"] == "DEPLOYED"
    assert deploy(deployer, tiny, **wish).meta == made.meta
    taken = {removal.kind for removal in status.undeploy(deployer, ALIAS)}
    assert {"model", "model group", "ingest pipeline", "index"} <= taken
    assert models.find_group(secured.client()) is None


def test_migrating(secured: Secured, exported: Callable[..., Bundle], tmp_path: Path) -> None:
    """Deployer and migrator in one: there, back, there again, and what is left taken away."""
    old, new = (str(exported("router", activation).path) for activation in ("log1p_relu", "relu"))
    (tmp_path / "articles.jsonl").write_text("\n".join(json.dumps({"_id": i, "text": t}) for i, t in TEXTS.items()))
    steps = {
        "lsr-deployer": [("deploy", old, "--alias", ALIAS, "--field", "text", "--encode", "cluster")],
        "lsr-indexer": [("index", "articles.jsonl", "--alias", ALIAS, "--bundle", old)],
        "lsr-migrator": [
            ("migrate", ALIAS, new),
            ("rollback", ALIAS, "--bundle", old),
            ("migrate", ALIAS, new),
            ("cleanup", ALIAS, "--yes"),
        ],
        "lsr-searcher": [("search", "water leak", "--alias", ALIAS)],
    }
    try:
        for user, commands in steps.items():
            for command in commands:
                if command[0] == "rollback":  # it has something to delete in the former index
                    secured.client().delete(index=ALIAS, id="3", refresh=True)
                done = secured.run(user, *command, cwd=tmp_path)
                assert done.returncode == 0, (command, done.stderr)
        assert "water leak in the kitchen" in done.stdout
        assert secured.client().count(index=ALIAS)["count"] == len(TEXTS) - 1
    finally:
        done = secured.run("lsr-deployer", "undeploy", "--alias", ALIAS, "--yes", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
