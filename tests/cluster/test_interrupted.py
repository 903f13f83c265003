"""Killed before any of its changes to the cluster, a deployment is completed by running it again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from opensearchpy import OpenSearch
from state import snapshot

from opensearch_lsr import deploy
from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster.status import undeploy

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


def test_killed_before_every_change_and_rerun(client: OpenSearch, url: str, tiny: Bundle, alias: str) -> None:
    before = snapshot(client)
    run_killed(url, tiny, alias, 0)
    whole = snapshot(client)
    assert whole != before
    undeploy(client, alias)
    assert snapshot(client) == before

    survived = 0
    for change in range(1, 100):
        if run_killed(url, tiny, alias, change) == 0:
            break
        survived = change
        deploy(client, tiny, alias=alias, fields=["title", "text"], query_mode="model")
        assert snapshot(client) == whole, f"killed before change {change}"
        undeploy(client, alias)
        assert snapshot(client) == before, f"undeployed after a kill before change {change}"
    assert survived >= 12  # group, 2 models with chunks, deploys, probes, table, pipelines, index, alias


def run_killed(url: str, bundle: Bundle, alias: str, change: int) -> int:
    script = Path(__file__).with_name("killed_deploy.py")
    arguments = [sys.executable, str(script), url, str(bundle.path), alias, str(change)]
    return subprocess.run(arguments, check=False, capture_output=True).returncode
