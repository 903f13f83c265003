"""The embedded node answers on this machine's loopback and on no other of its addresses."""

from __future__ import annotations

import socket

import pytest
from secured_cluster import Secured

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


def another_address() -> str:
    """One that other machines know this one by; which it would send from, though nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # reserved for documentation
        except OSError:
            pytest.skip("this machine has no address but loopback")
        found = str(probe.getsockname()[0])
    if found.startswith("127."):
        pytest.skip("this machine has no address but loopback")
    return found


def test_neither_http_nor_transport_is_reached_from_elsewhere(secured: Secured) -> None:
    (node,) = secured.client().nodes.info(metric="http,transport")["nodes"].values()
    for layer in ("http", "transport"):
        addresses = [node[layer]["publish_address"], *node[layer]["bound_address"]]
        assert {address.rpartition(":")[0] for address in addresses} == {"127.0.0.1"}
        port = int(addresses[0].rpartition(":")[2])
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        with pytest.raises(OSError):
            socket.create_connection((another_address(), port), timeout=5)
