"""Where a run was made: what must be known to repeat it, and to judge how far its figures carry."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from opensearchpy import OpenSearch
from opensearchpy.exceptions import AuthorizationException, NotFoundError

PACKAGES = (
    "opensearch-lsr",
    "opensearch-py",
    "tokenizers",
    "onnxruntime",
    "numpy",
    "ir-measures",
    "scipy",
    "sentence-transformers",
    "torch",
)

_SECRET = re.compile("password|passphrase|secret|credential|token|access_key|private_key")


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
    """The client's machine: processor, the cores this process may use, memory in bytes."""
    return {
        "cpu": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.release()}",
    }


def cluster(client: OpenSearch) -> dict[str, Any]:
    """The cluster: version; where one may ask for them, its settings, nodes, their heap in bytes, processors, Java,
    plugins."""
    info = client.info()["version"]
    found = {"version": info["number"], "distribution": info.get("distribution", "elasticsearch")}
    if (settings := _settings(client)) is not None:
        found["settings"] = settings
    try:
        nodes = client.nodes.info(metric="jvm,os,plugins")["nodes"].values()
    except (AuthorizationException, NotFoundError):  # hosted clusters keep some of this to themselves
        return found
    plugins = {f"{plugin['name']} {plugin['version']}" for node in nodes for plugin in node.get("plugins", [])}
    return {
        **found,
        "nodes": len(nodes),
        "heap_bytes": sum(node.get("jvm", {}).get("mem", {}).get("heap_max_in_bytes", 0) for node in nodes) or None,
        "processors": sum(node.get("os", {}).get("allocated_processors", 0) for node in nodes) or None,
        "java": sorted({node["jvm"]["version"] for node in nodes if "version" in node.get("jvm", {})}),
        "plugins": sorted(plugins),
    }


def _settings(client: OpenSearch) -> dict[str, Any] | None:
    """Of the cluster, other than the defaults, flat; without those that sound like secrets. None where not allowed."""
    try:
        kept = client.cluster.get_settings(flat_settings=True)
    except (AuthorizationException, NotFoundError):
        return None
    given = kept.get("persistent", {}) | kept.get("transient", {})
    return {name: value for name, value in sorted(given.items()) if not _SECRET.search(name)}


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
