"""Waiting until a started node answers and ML Commons takes models."""

from __future__ import annotations

import http.client
import json
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from opensearch_lsr.errors import NodeError
from opensearch_lsr.local.secured import Login

Get = Callable[[str], dict[str, object]]  # path → the answer, empty when there is none


def wait_until_ready(
    url: str, cluster: str, is_alive: Callable[[], bool], log: Path, timeout: float, login: Login | None = None
) -> None:
    """Poll until this cluster, and no other on the same port, is yellow and ML Commons answers.

    Raises:
        NodeError: when the process ends or time runs out, with the log's last error.
    """
    get, deadline = _getter(url, login), time.monotonic() + timeout
    while time.monotonic() < deadline:
        if not is_alive():
            raise NodeError(f"OpenSearch ended while starting: {last_error(log)} (log: {log})")
        if _healthy(get, cluster) and _ml_commons_started(get):
            return
        time.sleep(0.5)
    raise NodeError(f"OpenSearch was not ready after {timeout:.0f} s: {last_error(log)} (log: {log})")


def last_error(log: Path) -> str:
    """The last line of a log, or of the console beside it, that says what went wrong."""
    lines: list[str] = []
    for file in (log.parent.parent / "console.log", log):
        if file.is_file():
            lines += file.read_text(errors="replace").splitlines()[-400:]
    telling = [line for line in lines if any(word in line for word in ("ERROR", "FATAL", "Exception", "rror:"))]
    return " ".join((telling or lines or ["no log was written"])[-1].split())[:300]


def _healthy(get: Get, cluster: str) -> bool:
    health = get("/_cluster/health")
    return health.get("cluster_name") == cluster and health.get("status") in ("yellow", "green")


def _ml_commons_started(get: Get) -> bool:
    """ML Commons is a plugin with services of its own, which answer some time after the node does."""
    return bool(get("/_plugins/_ml/stats").get("nodes"))


def _getter(url: str, login: Login | None) -> Get:
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]  # never the way to loopback
    if login:
        handlers.append(urllib.request.HTTPSHandler(context=login.trust()))
    opener = urllib.request.build_opener(*handlers)
    if login:
        opener.addheaders.append(("Authorization", login.header()))

    def get(path: str) -> dict[str, object]:
        try:
            with opener.open(url + path, timeout=5) as answer:
                found = json.load(answer)
                return found if isinstance(found, dict) else {}
        except (http.client.HTTPException, OSError, ValueError):
            return {}

    return get
