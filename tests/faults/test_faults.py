"""The short form: each fault once. The long form is run.py beside this."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from random import Random

import pytest
from every_fault import FAULTS
from fault import World
from nodes import started

from opensearch_lsr.bundle import Bundle

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


@pytest.fixture(scope="module")
def one_node(exported: Callable[..., Bundle]) -> Iterator[World]:
    with started([f"tests-fault-{os.getpid()}"]) as nodes:
        yield World(nodes, exported("router"), exported("router", "relu"), Random(0))


@pytest.fixture(scope="module")
def three_nodes(exported: Callable[..., Bundle]) -> Iterator[World]:
    with started([f"tests-fault-{place}-{os.getpid()}" for place in "abc"]) as nodes:
        yield World(nodes, exported("router"), exported("router", "relu"), Random(0))


def names(nodes: int) -> list[str]:
    return [name for name, one in FAULTS.items() if one.nodes == nodes and one.short]


@pytest.mark.parametrize("name", names(1))
def test_nothing_is_lost_at(one_node: World, name: str) -> None:
    assert FAULTS[name].happen(one_node).content.right


@pytest.mark.parametrize("name", names(3))
def test_nothing_is_lost_in_a_cluster_at(three_nodes: World, name: str) -> None:
    assert FAULTS[name].happen(three_nodes).content.right
