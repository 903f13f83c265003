"""Where a run was made: what must be known to repeat it, and to judge how far its figures carry."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from opensearchpy import OpenSearch

PACKAGES = ("opensearch-lsr", "opensearch-py", "tokenizers", "onnxruntime", "numpy", "ir-measures", "scipy")


def versions() -> dict[str, str]:
    """Of Python and the packages that figures depend on, as far as they are installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """The client's machine: processor, its cores, memory in bytes."""
    return {
        "cpu": _processor(),
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.release()}",
    }


def cluster(client: OpenSearch) -> dict[str, Any]:
    """The cluster: version, nodes, their heap in bytes, processors, plugins."""
    info = client.info()
    nodes = client.nodes.info(metric="jvm,os,plugins")["nodes"].values()
    plugins = {plugin["name"]: plugin["version"] for node in nodes for plugin in node.get("plugins", [])}
    return {
        "version": info["version"]["number"],
        "distribution": info["version"].get("distribution", "elasticsearch"),
        "nodes": len(nodes),
        "heap_bytes": sum(node["jvm"]["mem"]["heap_max_in_bytes"] for node in nodes),
        "processors": sum(node["os"]["allocated_processors"] for node in nodes),
        "java": sorted({node["jvm"]["version"] for node in nodes}),
        "plugins": dict(sorted(plugins.items())),
    }


def commit() -> str | None:
    """Of the working copy that this package is run from, with ``+`` where it was changed; None when installed."""
    folder = Path(__file__).parents[2]
    if not (folder / ".git").exists():
        return None
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--abbrev=12", "--dirty=+"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())
