"""The doctor on a cluster and what is deployed there: each finding provoked on a real node, and mended as it says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner
from doctoring import documents, page, problems, setting
from opensearchpy import OpenSearch, Transport
from opensearchpy.exceptions import AuthorizationException
from state import snapshot

from opensearch_lsr import QueryEncoder, deploy
from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cli.main import cli
from opensearch_lsr.cluster import breakers, bulk, models, names, pipelines, preflight, probe
from opensearch_lsr.cluster.deployed import Deployed
from opensearch_lsr.cluster.status import undeploy
from opensearch_lsr.query_encoder import TOKEN_WEIGHTS_INDEX

pytestmark = pytest.mark.cluster
ALIAS, FIELDS = "doctor-tests", ["title", "text"]


@pytest.fixture(scope="module")
def deployment(client: OpenSearch, tiny: Bundle) -> Iterator[Deployed]:
    """All there is to judge: models for documents and queries, both pipelines, the table."""
    made = deploy(client, tiny, alias=ALIAS, fields=FIELDS, query_mode="model")
    bulk.load(client, made, documents(12), None)
    yield made
    undeploy(client, ALIAS)


@pytest.fixture
def target(client: OpenSearch, tiny: Bundle, deployment: Deployed) -> Iterator[Deployed]:
    """The deployment, healthy again after the test, whatever became of it."""
    yield deployment
    client.delete(index=TOKEN_WEIGHTS_INDEX, id=tiny.config.query_fingerprint, refresh=True, ignore=404)
    again(client, tiny)
    bound = {pipelines.binding(kind): name for kind, name in pipelines.names(deployment)}
    client.indices.put_settings(index=deployment.index, body=bound)


def again(client: OpenSearch, bundle: Bundle) -> None:
    """The remedy that findings about pipelines and token weights name."""
    deploy(client, bundle, alias=ALIAS, fields=FIELDS, query_mode="model")


def document_model(client: OpenSearch, target: Deployed) -> models.Model:
    found = models.usable(client, target.document_model)
    assert found
    return found


def test_a_healthy_deployment(client: OpenSearch, target: Deployed, url: str) -> None:
    before = snapshot(client)
    found = page(client, ALIAS)
    assert snapshot(client) == before
    assert {what: check.state for what, check in found.items() if check.state != "ok"} == {"posting lists": "not known"}
    assert found.keys() >= {"version", "plugins", "settings", "breakers", "document model", "query model"}
    assert found.keys() >= {"ingest pipeline", "search pipeline", "token weights", "query tokens"}
    assert found.keys() >= {"vectors", "stale vectors", "long documents"}
    assert found["stale vectors"].numbers == {"documents": 12, "with_text_hash": 12, "stale": 0}
    done = CliRunner().invoke(cli, ["doctor", "--alias", ALIAS, "--url", url])
    assert (done.exit_code, done.output.splitlines()[-1]) == (0, "no findings")


def test_without_an_alias_only_the_cluster(client: OpenSearch) -> None:
    assert list(page(client, None)) == ["version", "plugins", "settings", "breakers"]


def test_a_model_that_is_not_deployed_and_its_repair(client: OpenSearch, target: Deployed, url: str) -> None:
    client.plugins.ml.undeploy_model(model_id=document_model(client, target).model_id)
    found = problems(client, ALIAS)
    assert list(found) == ["document model"]
    # ML Commons' own look at the nodes, every few seconds, may find it before it is marked
    assert re.search("is (UNDEPLOYED|DEPLOY_FAILED), runs on no node", found["document model"])
    (line,) = page(client, ALIAS)["document model"].findings
    assert line.remedy == f"opensearch-lsr doctor --alias {ALIAS} --repair"
    done = CliRunner().invoke(cli, [*line.remedy.split()[1:], "--url", url, "--json"])
    said = json.loads(done.stdout)
    assert (done.exit_code, said["findings"]) == (0, 0)
    (mended,) = (check for check in said["checks"] if check["what"] == f"model {target.document_model}")
    assert mended["numbers"]["repaired"] and mended["numbers"]["running_on"]
    assert problems(client, ALIAS) == {}


def test_a_tripped_breaker_with_its_numbers_and_a_repair_that_gives_up(
    client: OpenSearch, target: Deployed, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("opensearch_lsr.cluster.health.models.time.sleep", waits.append)
    client.plugins.ml.undeploy_model(model_id=document_model(client, target).model_id)
    with setting(client, breakers.DISK, "900000gb"):
        found = problems(client, ALIAS)
        assert "GB of disk free, breaker at 966367.6 GB" in found["breakers"]
        done = CliRunner().invoke(cli, ["doctor", "--alias", ALIAS, "--repair", "--url", url])
        assert done.exit_code == 3
        assert "Disk Circuit Breaker is open" in done.stdout
        assert "3 attempts failed; mend the reason first" in done.stdout
        assert document_model(client, target).state == "DEPLOY_FAILED"
        assert waits.count(1.0) == waits.count(2.0) == 1
        assert "Disk Circuit Breaker is open" in problems(client, ALIAS)["document model"]  # ML Commons remembers
    assert problems(client, ALIAS, repair=True) == {}
    with setting(client, breakers.HEAP, 1):
        assert "% used, breaker at 1 %" in problems(client, ALIAS)["breakers"]


def test_a_model_on_some_of_its_nodes(client: OpenSearch, target: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two nodes are what a single one cannot be made to show: the record is forged, the rest is real."""
    send = Transport.perform_request

    def planned_on_two(self: Transport, method: str, path: str, *args: Any, **options: Any) -> Any:
        answer = send(self, method, path, *args, **options)
        if isinstance(answer, dict) and "planning_worker_nodes" in answer:
            answer["planning_worker_nodes"].append("another-node")
        return answer

    monkeypatch.setattr(Transport, "perform_request", planned_on_two)
    assert "not on another-node" in problems(client, ALIAS)["document model"]


def test_a_model_that_is_gone(client: OpenSearch, tiny: Bundle, target: Deployed) -> None:
    models.remove(client, document_model(client, target))
    found = problems(client, ALIAS, repair=True)
    assert found["document model"] == f"model {target.document_model} is missing"
    assert f"(model {target.document_model} is missing)" in found["ingest pipeline"]
    again(client, tiny)
    assert problems(client, ALIAS) == {}


def test_settings(client: OpenSearch, target: Deployed) -> None:
    with setting(client, preflight.ML_NODES_ONLY, True):
        assert "is true and there is no ml node" in problems(client, ALIAS)["settings"]
    with setting(client, "indices.query.bool.max_clause_count", 512):
        assert "max_clause_count is 512: longer queries are refused" in problems(client, ALIAS)["settings"]


def test_a_pipeline_edited_by_hand_is_named_and_deploy_mends_it(
    client: OpenSearch, tiny: Bundle, target: Deployed
) -> None:
    name = names.ingest_pipeline(target.index)
    body = pipelines.stored(client, "ingest", name)
    assert body
    body["processors"][2]["script"]["params"]["fingerprint"] = "aaaaaaaa"
    body["processors"][1]["sparse_encoding"]["model_id"] = "another"
    body["processors"][0]["script"]["params"]["fields"] = ["title"]
    pipelines.put(client, "ingest", name, body)
    found = problems(client, ALIAS)
    assert list(found) == ["ingest pipeline"]
    model = document_model(client, target).model_id
    assert f'processors[1].sparse_encoding.model_id is "another", not "{model}"' in found["ingest pipeline"]
    assert f'params.fingerprint is "aaaaaaaa", not "{target.document_key}"' in found["ingest pipeline"]
    assert 'params.fields is ["title"], not ["title", "text"]' in found["ingest pipeline"]
    again(client, tiny)
    assert problems(client, ALIAS) == {}


def test_a_pipeline_that_is_not_bound_or_gone(client: OpenSearch, tiny: Bundle, target: Deployed) -> None:
    client.indices.put_settings(index=target.index, body={"index.default_pipeline": "_none"})
    (line,) = page(client, ALIAS)["ingest pipeline"].findings
    assert "index.default_pipeline is _none" in line.problem
    method, path, body = line.remedy.split(" ", 2)
    client.transport.perform_request(method, path, body=json.loads(body))
    assert problems(client, ALIAS) == {}
    pipelines.delete(client, target.index, "search", f"lsr-{target.index}-search")
    assert "is missing" in problems(client, ALIAS)["search pipeline"]
    again(client, tiny)
    assert "index.search.default_pipeline is _none" in problems(client, ALIAS)["search pipeline"]


def test_an_edited_table_is_not_what_the_cluster_looks_up(client: OpenSearch, tiny: Bundle, target: Deployed) -> None:
    fingerprint = tiny.config.query_fingerprint
    token = next(iter(QueryEncoder.from_cluster(client, ALIAS).encode(probe.TEXTS[0])))
    unseen = "kitchen"  # in none of the texts that are compared
    for edited, said in ((token, f"token {token!r} of "), (unseen, "that the texts compared do not have")):
        client.update(index=TOKEN_WEIGHTS_INDEX, id=fingerprint, body={"doc": {"weights": {edited: 9.5}}})
        found = problems(client, ALIAS)
        assert list(found) == ["query tokens"]
        assert said in found["query tokens"]
        client.delete(index=TOKEN_WEIGHTS_INDEX, id=fingerprint, refresh=True)
        assert list(problems(client, ALIAS)) == ["token weights"]
        again(client, tiny)
    assert problems(client, ALIAS) == {}


@pytest.mark.parametrize("damage", [{"tokenizer": "bm90IGEgdG9rZW5pemVy"}, {"weights": {"water": 900.0}}])
def test_a_damaged_table(client: OpenSearch, tiny: Bundle, target: Deployed, damage: dict[str, Any]) -> None:
    fingerprint = tiny.config.query_fingerprint
    client.update(index=TOKEN_WEIGHTS_INDEX, id=fingerprint, body={"doc": damage})
    found = page(client, ALIAS)
    assert found["token weights"].numbers["state"] == "damaged"
    assert (found["token weights"].state, found["query tokens"].state) == ("finding", "not known")
    client.delete(index=TOKEN_WEIGHTS_INDEX, id=fingerprint, refresh=True)
    again(client, tiny)
    assert problems(client, ALIAS) == {}


def test_the_built_in_analyzer_and_an_empty_index(client: OpenSearch, alias: str) -> None:
    target = deploy(client, "default", alias=alias, fields=["text"], encode="client", query_mode="analyzer")
    assert problems(client, alias) == {}
    assert page(client, alias)["query tokens"].seen == "bert-uncased against the client, 3 texts"
    fingerprint = target.meta["query_fingerprint"]
    client.update(index=TOKEN_WEIGHTS_INDEX, id=fingerprint, body={"doc": {"weights": {"noise": 1.0}}})
    said = problems(client, alias)["query tokens"]
    assert "token 'noise' of 'A squeaking noise while" in said
    assert "weighs 6.8196 in the cluster and 1.0000 here" in said
    client.delete(index=TOKEN_WEIGHTS_INDEX, id=fingerprint, refresh=True)  # other tests have this table, too


def test_what_may_not_be_seen_is_not_known(
    client: OpenSearch, target: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The embedded node of this version has no security plugin: its refusal is forged."""
    send = Transport.perform_request

    def forbidden(self: Transport, method: str, path: str, *args: Any, **options: Any) -> Any:
        if path.startswith("/_nodes"):
            raise AuthorizationException(403, "security_exception", {})
        return send(self, method, path, *args, **options)

    monkeypatch.setattr(Transport, "perform_request", forbidden)
    found = page(client, ALIAS)
    assert found["breakers"].state == "not known"
    assert found["document model"].state == "ok"


def test_no_such_alias_is_an_error(url: str) -> None:
    done = CliRunner().invoke(cli, ["doctor", "--alias", "nowhere", "--url", url])
    assert done.exit_code == 1
    assert "nowhere: no such alias" in str(done.exception)
