"""The roles in ``pipelines/roles``: each does what it is for, and is refused what is not its own, by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opensearchpy import OpenSearch
from opensearchpy.exceptions import AuthorizationException
from secured_cluster import ALIAS, Secured

from opensearch_lsr.bundle import Bundle
from opensearch_lsr.cluster.connect import readable_errors
from opensearch_lsr.cluster.deployed import deployed
from opensearch_lsr.cluster.indices import lsr_meta
from opensearch_lsr.errors import ClusterError

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
TEXTS = {"1": "water leak in the kitchen", "2": "red bike on the road", "3": "cold winter snow"}
OTHER = "private-0a1b2c3d"  # an index of somebody else's


@pytest.fixture(scope="module")
def articles(secured: Secured, tiny: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Deployed by the deployer and loaded by the indexer, both with the command; the folder it was done in."""
    folder = tmp_path_factory.mktemp("articles")
    lines = [json.dumps({"_id": i, "text": text, "unmapped": {"year": 2000}}) for i, text in TEXTS.items()]
    (folder / "articles.jsonl").write_text("\n".join(lines))
    bundle, target = str(tiny.path), ("--alias", ALIAS)
    wish = ("deploy", bundle, *target, "--field", "text", "--encode", "client", "--two-phase")
    for arguments in ((*wish, "--dry-run"), wish, wish):
        done = secured.run("lsr-deployer", *arguments, cwd=folder)
        assert done.returncode == 0, done.stderr
    assert "nothing to do" in done.stdout
    done = secured.run("lsr-indexer", "index", "articles.jsonl", *target, "--bundle", bundle, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    admin = secured.client()
    admin.index(index=OTHER, id="1", body={"text": "private"}, refresh=True)
    yield folder
    admin.indices.delete(index=OTHER)
    done = secured.run("lsr-deployer", "undeploy", *target, "--yes", cwd=folder)
    assert done.returncode == 0, done.stderr
    left = [row["index"] for row in admin.cat.indices(format="json", expand_wildcards="all")]
    assert not [index for index in left if not index.startswith(".")]


def test_the_searcher_searches_and_explains(secured: Secured, articles: Path) -> None:
    for command in ("search", "expand"):
        done = secured.run("lsr-searcher", command, "water leak", "--alias", ALIAS, "--json", cwd=articles)
        assert done.returncode == 0, done.stderr
    found = secured.run("lsr-searcher", "search", "water leak", "--alias", ALIAS, "--json", cwd=articles)
    assert json.loads(found.stdout)[0]["id"] == "1"
    done = secured.run("lsr-searcher", "explain", "water leak", "1", "--alias", ALIAS, cwd=articles)
    assert done.returncode == 0, done.stderr


def test_the_deployer_says_what_is_there(secured: Secured, articles: Path) -> None:
    done = secured.run("lsr-deployer", "status", "--alias", ALIAS, "--json", cwd=articles)
    assert done.returncode == 0, done.stderr
    states = {resource["kind"]: resource["state"] for resource in json.loads(done.stdout)}
    assert states["token weights"] == "stored"
    assert states["index"].startswith("3 documents")


def test_an_indexer_that_may_search_loads_an_empty_index_as_it_is(
    secured: Secured, articles: Path, tiny: Bundle
) -> None:
    """It sees that there are no documents, and may not change the settings that a first load would."""
    admin = secured.client()
    (index,) = admin.indices.get_alias(name=ALIAS)
    before = admin.indices.get_settings(index=index)
    admin.delete_by_query(index=index, body={"query": {"match_all": {}}}, refresh=True)
    arguments = ("index", "articles.jsonl", "--alias", ALIAS, "--bundle", str(tiny.path))
    done = secured.run("lsr-loader", *arguments, cwd=articles)
    assert (done.returncode, done.stderr) == (0, "")
    assert admin.count(index=index)["count"] == 3
    assert admin.indices.get_settings(index=index) == before
    assert "first_load" not in lsr_meta(admin, index)


def command(*arguments: str) -> tuple[str, ...]:
    return tuple(argument.replace("ALIAS", ALIAS) for argument in arguments)


DEPLOY = command("deploy", "BUNDLE", "--alias", "ALIAS", "--field", "text")
INDEX = command("index", "articles.jsonl", "--alias", "ALIAS", "--bundle", "BUNDLE")


@pytest.mark.parametrize(
    ("role", "arguments", "permission"),
    [
        ("lsr-deployer", (*DEPLOY[:3], "private", *DEPLOY[4:], "--encode", "client"), "indices:admin/get"),
        ("lsr-deployer", (*DEPLOY, "--encode", "client", "--from", OTHER), "indices:"),
        ("lsr-deployer", INDEX, "indices:data/write/index"),
        ("lsr-indexer", DEPLOY, "cluster:monitor/main"),
        ("lsr-indexer", command("search", "water", "--alias", "ALIAS"), "indices:data/read/get"),
        ("lsr-indexer", command("status", "--alias", "ALIAS"), "indices:data/read/search"),
        ("lsr-indexer", command("undeploy", "--alias", "ALIAS", "--yes"), "indices:admin/aliases/get"),
        ("lsr-indexer", command("status", "--alias", OTHER), "indices:admin/mappings/get"),
        ("lsr-searcher", DEPLOY, "cluster:monitor/main"),
        ("lsr-searcher", INDEX, "indices:data/write/bulk"),
        ("lsr-searcher", command("undeploy", "--alias", "ALIAS", "--yes"), "indices:admin/aliases/get"),
        ("lsr-searcher", command("search", "private", "--alias", OTHER), "indices:admin/mappings/get"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value)[:40],
)
def test_a_command_that_is_not_its_own_names_the_permission(
    secured: Secured, articles: Path, tiny: Bundle, role: str, arguments: tuple[str, ...], permission: str
) -> None:
    asked = [str(tiny.path) if argument == "BUNDLE" else argument for argument in arguments]
    message = secured.refused(role, *asked, cwd=articles)
    assert permission in message
    assert role in message


def change_settings(client: OpenSearch) -> None:
    client.cluster.put_settings(body={"persistent": {"plugins.ml_commons.only_run_on_ml_node": False}})


def change_a_weight(client: OpenSearch) -> None:
    client.update(index="lsr-token-weights", id="x", body={"doc": {"weights": {"water": 1.0}}})


def add_itself_to_a_role(client: OpenSearch) -> None:
    path = "/_plugins/_security/api/rolesmapping/all_access"
    client.transport.perform_request("PUT", path, body={"users": ["lsr-searcher"]})


REFUSED: dict[str, list[Callable[[OpenSearch], Any]]] = {
    "lsr-deployer": [
        change_settings,
        add_itself_to_a_role,
        lambda client: client.search(index=OTHER),
        lambda client: client.indices.delete(index=OTHER),
        lambda client: client.search(index=".plugins-ml-model"),
        lambda client: client.index(index=deployed(client, ALIAS).index, body={"text": "x"}),
    ],
    "lsr-indexer": [
        change_settings,
        change_a_weight,
        add_itself_to_a_role,
        lambda client: client.search(index=ALIAS),
        lambda client: client.get(index="lsr-token-weights", id="x"),
        lambda client: client.index(index=OTHER, body={"text": "x"}),
        lambda client: client.delete(index=deployed(client, ALIAS).index, id="1"),
        lambda client: client.indices.delete(index=deployed(client, ALIAS).index),
    ],
    "lsr-searcher": [
        change_settings,
        change_a_weight,
        add_itself_to_a_role,
        lambda client: client.search(index=OTHER),
        lambda client: client.search(index="lsr-token-weights"),
        lambda client: client.search(index="*"),
        lambda client: client.index(index=deployed(client, ALIAS).index, body={"text": "x"}),
        lambda client: client.delete(index=deployed(client, ALIAS).index, id="1"),
        lambda client: client.indices.put_mapping(index=ALIAS, body={"properties": {"x": {"type": "keyword"}}}),
        lambda client: client.indices.delete(index=deployed(client, ALIAS).index),
        lambda client: client.cat.indices(),
    ],
}


@pytest.mark.parametrize("role", REFUSED)
def test_a_request_that_is_not_its_own_is_refused(secured: Secured, articles: Path, role: str) -> None:
    client = secured.client(role)
    for request in REFUSED[role]:
        with pytest.raises(AuthorizationException):
            request(client)
    assert secured.client().count(index=ALIAS)["count"] == len(TEXTS)


def test_the_refusal_of_a_head_request_is_told_as_well(secured: Secured, articles: Path) -> None:
    """Its own answer has no body, which would name the permission."""
    with pytest.raises(ClusterError, match="lsr-searcher lacks the permission indices:admin/get"), readable_errors(""):
        secured.client("lsr-searcher").indices.exists(index=OTHER)
