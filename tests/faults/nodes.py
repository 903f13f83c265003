"""Nodes to be killed: one alone, or three that form a cluster on loopback."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

from opensearch_lsr.errors import NodeError
from opensearch_lsr.local import machine, process
from opensearch_lsr.local.node import Node

HEAP = "1g"
READY_WITHIN = 600  # seconds, on a machine that has other work
ALONE: dict[str, object] = {"cluster.info.update.interval": "10s"}  # how often it looks at its disks
_settings: dict[str, dict[str, object]] = {}  # of nodes that are one of several


@contextmanager
def started(names: Sequence[str]) -> Iterator[list[Node]]:
    """Nodes of these names; several are one cluster."""
    nodes = [Node(name, cluster=names[0]) for name in names]
    with ExitStack() as stack:
        for node in nodes:
            node.stop(wipe=True)
            stack.callback(node.stop, wipe=True)
        if len(nodes) == 1:
            nodes[0].start(heap=HEAP, settings=ALONE, timeout=READY_WITHIN)
        else:
            _start_together(nodes)
        yield nodes


def kill(node: Node) -> int:
    """As ``kill -9``; returns the HTTP port that it had."""
    running = node.status()
    assert running
    process.send(running.pid, signal.SIGKILL)
    assert process.gone(running.pid, lambda pid: node.status() is not None, 30)
    port = int(running.url.rpartition(":")[2])
    _wait_for_port(port)
    return port


def start_again(node: Node, port: int) -> None:
    """With the data and, where it is one of several, the settings that it had."""
    node.start(heap=HEAP, port=port, settings=_settings.get(node.name, ALONE), timeout=READY_WITHIN)


def _start_together(nodes: Sequence[Node]) -> None:
    """The first is a cluster by itself, which the others join."""
    ports = _free_ports(len(nodes))
    for node, port in zip(nodes, ports, strict=True):
        _settings[node.name] = {
            "discovery.type": "zen",
            "discovery.seed_hosts": [f"127.0.0.1:{one}" for one in ports],
            "cluster.initial_cluster_manager_nodes": [nodes[0].name],
            "transport.port": port,
        }
        node.start(heap=HEAP, settings=_settings[node.name], timeout=READY_WITHIN)


def _wait_for_port(port: int) -> None:
    """The kernel closes it once the last thread is gone, which is after the first."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with suppress(NodeError):
            machine.free_port(port)
            return
        time.sleep(0.1)


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        taken = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in taken]
