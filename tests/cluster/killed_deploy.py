"""Deploys and is killed with SIGKILL before its n-th change to the cluster (run by test_interrupted.py)."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from opensearchpy import Transport

from opensearch_lsr import deploy
from opensearch_lsr.cluster import bulk, register
from opensearch_lsr.cluster.connect import connect

url, bundle, alias, last = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
options = {"source_index": sys.argv[5], "encode": "client"} if sys.argv[5:] else {"query_mode": "model"}
changes = 0
register.CHUNK_BYTES = 40_000  # so that an upload has a middle
bulk.CLIENT_BATCH = 20  # and so has a copy
send = Transport.perform_request


def counted(self: Transport, method: str, path: str, *args: Any, **rest: Any) -> Any:
    global changes
    reads = method in ("GET", "HEAD") or path.endswith(("/_search", "/_search/scroll", "/_count", "/_refresh"))
    changes += not reads
    if not reads and changes == last:
        os.kill(os.getpid(), signal.SIGKILL)
    return send(self, method, path, *args, **rest)


Transport.perform_request = counted  # type: ignore[method-assign]
deploy(connect(url), bundle, alias=alias, fields=["title", "text"], **options)
sys.stdout.write(f"{changes} changes\n")
