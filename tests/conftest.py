"""Fixtures for the whole suite: bundles of a tiny encoder, the embedded OpenSearch, the shared collections."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from opensearch_lsr.bundle import Bundle

if TYPE_CHECKING:
    from opensearchpy import OpenSearch

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def checkpoint_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """``checkpoint_folder(layout, activation)``: a folder to read, not to change."""
    from tiny_checkpoint import make_checkpoint

    @cache
    def make(layout: str = "router", activation: str = "log1p_relu") -> Path:
        return make_checkpoint(tmp_path_factory.mktemp(layout) / f"{layout}-{activation}", layout, activation)

    return make


@pytest.fixture(scope="session")
def exported(checkpoint_folder: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Bundle]:
    """``exported(layout, activation, quantize, …)``: the bundle of such a checkpoint; more as ``export`` takes it."""
    from opensearch_lsr.export.export import export

    @cache
    def make(layout: str = "router", activation: str = "log1p_relu", quantize: str = "none", **more: Any) -> Bundle:
        return export(
            checkpoint_folder(layout, activation),
            tmp_path_factory.mktemp("bundles") / "bundle",
            quantize=quantize,
            activation=activation if layout == "mlm" else None,
            **more,
        )

    return make


@pytest.fixture(scope="session")
def tiny(exported: Callable[..., Bundle]) -> Bundle:
    """An inference-free bundle that encodes in a millisecond."""
    return exported("router")


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    """A real OpenSearch of the tests' own."""
    from opensearch_lsr.local.node import Node

    node = Node(f"tests-{os.getpid()}")  # several suites may run side by side
    node.stop(wipe=True)
    try:
        yield node.start(heap="2g").url
    finally:
        node.stop(wipe=True)


@pytest.fixture(scope="session")
def client(url: str) -> OpenSearch:
    """A client for it."""
    from opensearch_lsr.cluster.connect import connect

    return connect(url)


@pytest.fixture(scope="session")
def client_2_19() -> Iterator[OpenSearch]:
    """A client for an OpenSearch 2.19.1 of the tests' own, the oldest that is tested."""
    from opensearch_lsr.cluster.connect import connect
    from opensearch_lsr.local.node import Node

    node = Node(f"tests-2-19-{os.getpid()}", version="2.19.1")
    node.stop(wipe=True)
    try:
        yield connect(node.start(heap="2g", timeout=400).url)
    finally:
        node.stop(wipe=True)


@pytest.fixture
def alias(request: pytest.FixtureRequest, client: OpenSearch) -> Iterator[str]:
    """A fresh alias; what a test deploys behind it is removed."""
    from opensearch_lsr.cluster.status import undeploy
    from opensearch_lsr.errors import DeploymentError

    name = "".join(c if c.isalnum() else "-" for c in request.node.name.lower())[:60].strip("-")
    yield name
    for index in client.indices.get(index=f"{name}*", expand_wildcards="all"):
        try:
            undeploy(client, index)
        except DeploymentError:
            client.indices.delete(index=index)


@pytest.fixture(scope="session")
def collection() -> Callable[[str], Path]:
    """``collection(name)``: a real test collection, or a skip that says where it is looked for."""

    def find(name: str) -> Path:
        folder = SHARED / "collections" / name
        if not folder.is_dir():
            pytest.skip(f"collection {name} is not in shared/collections beside the checkout")
        return folder

    return find
