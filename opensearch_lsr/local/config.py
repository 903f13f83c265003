"""A node's config folder: the server's own, with this node's paths, heap, port and settings."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

SETTINGS: dict[str, object] = {
    "discovery.type": "single-node",
    "network.host": "127.0.0.1",
    "plugins.ml_commons.only_run_on_ml_node": False,
    # counts garbage: an idle small heap is often nine tenths full, and models would be refused then
    "plugins.ml_commons.jvm_heap_memory_threshold": 100,
    "plugins.ml_commons.disk_free_space_threshold": -1,
    "plugins.ml_commons.allow_registering_model_via_local_file": True,
    "cluster.routing.allocation.disk.threshold_enabled": False,
}


def write(server: Path, config: Path, *, data: Path, logs: Path, heap: str, settings: Mapping[str, object]) -> None:
    """Write it anew.

    Args:
        server: the assembled server.
        config: the folder.
        data: where the node keeps its data.
        logs: where it logs.
        heap: such as ``2g``.
        settings: laid over those that every node here has.
    """
    shutil.rmtree(config, ignore_errors=True)
    shutil.copytree(server / "config", config)
    options = config / "jvm.options"  # its relative paths mean the shared server folder, which is read-only
    text = options.read_text().replace("HeapDumpPath=data", f"HeapDumpPath={data}")
    options.write_text(re.sub(r"(=|Xloggc:)logs/", rf"\g<1>{logs}/", text))
    (config / "jvm.options.d").mkdir(exist_ok=True)
    (config / "jvm.options.d" / "heap.options").write_text(f"-Xms{heap}\n-Xmx{heap}\n")
    own = {"path.data": str(data), "path.logs": str(logs)}
    lines = (f"{key}: {json.dumps(value)}" for key, value in {**SETTINGS, **own, **settings}.items())
    (config / "opensearch.yml").write_text("\n".join(lines) + "\n")
