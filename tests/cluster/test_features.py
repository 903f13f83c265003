"""The table of features is true: what it says works on a version does, what it says lacks the server refuses, too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from feature_probes import OURS, SERVERS, check, served
from opensearchpy import OpenSearch
from state import snapshot

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster import preflight
from opensearch_lsr.cluster.features import Feature
from opensearch_lsr.cluster.health.doctor import examine
from opensearch_lsr.local.releases import RELEASES

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


@pytest.fixture(scope="module", params=["client", "client_2_19"])
def cluster(request: pytest.FixtureRequest) -> Iterator[OpenSearch]:
    """OpenSearch 3.6.0 and 2.19.1, serving; 2.19.6 has its turn in test_upgrade.py."""
    client: OpenSearch = request.getfixturevalue(request.param)
    with served(client):
        yield client


def test_every_feature_is_tried() -> None:
    assert OURS.keys() == SERVERS.keys() == set(Feature)


@pytest.mark.parametrize("feature", Feature, ids=lambda feature: feature.name.lower())
def test_the_table_is_true(cluster: OpenSearch, feature: Feature, tiny: Bundle) -> None:
    before = snapshot(cluster)
    check(cluster, feature, tiny)
    assert snapshot(cluster) == before


def test_the_doctor_prints_it(cluster: OpenSearch) -> None:
    (line,) = (check for check in examine(cluster) if check.what == "version")
    version = preflight.version(cluster)
    assert line.findings == []
    assert set(line.numbers["features"]) == {feature.name.lower() for feature in Feature}
    lacking = {feature for feature in Feature if version < feature.since}
    assert {name for name, state in line.numbers["features"].items() if state != "works"} == {
        feature.name.lower() for feature in lacking
    }
    assert ("lacks" in line.seen) == bool(lacking)
    assert all(f"{feature.what} (needs {feature.since[0]}.{feature.since[1]})" in line.seen for feature in lacking)


def test_each_version_that_is_run_here_is_tried() -> None:
    assert list(RELEASES) == ["2.19.1", "2.19.6", "3.6.0"]
