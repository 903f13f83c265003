"""A file that the embedded OpenSearch is made of: a Maven artifact with pinned SHA-256, fetched once into a cache."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from opensearch_lsr.errors import NodeError, needs_extra

TRIES = 3


@dataclass(frozen=True)
class Artifact:
    """One file of the recipe. ``size`` in bytes."""

    group: str
    name: str
    version: str
    packaging: str
    size: int
    sha256: str
    classifier: str = ""

    @property
    def label(self) -> str:
        return f"{self.name} {self.version}"

    def path(self, root: Path) -> Path:
        """Its place in a Maven-layout cache."""
        ending = f"-{self.classifier}" if self.classifier else ""
        folder = root.joinpath(*self.group.split("."), self.name, self.version)
        return folder / f"{self.name}-{self.version}{ending}.{self.packaging}"


Progress = Callable[[str, int, int], None]  # (what, bytes done, bytes in all)


class Download(Protocol):
    """Fetches one artifact to its place in the cache."""

    def __call__(self, artifact: Artifact, root: Path, on_bytes: Callable[[int], None]) -> None: ...


def fetch(artifact: Artifact, root: Path, on_progress: Progress, download: Download | None = None) -> Path:
    """Return the artifact's file, downloading it if the cache has no whole copy.

    Args:
        artifact: what to fetch.
        root: the Maven-layout cache.
        on_progress: called with (label, bytes done, bytes in all).
        download: how to fetch; jgo by default, which knows the registry.

    Raises:
        NodeError: when it cannot be downloaded, or is not what was pinned, after three tries.
        MissingExtraError: when jgo is not installed.
    """
    path = artifact.path(root)
    problem = ""
    for attempt in range(TRIES):
        time.sleep(attempt and 2**attempt)
        if path.is_file():
            found = _sha256(path)
            if found == artifact.sha256:
                return path
            problem = f"has SHA-256 {found}, pinned is {artifact.sha256} (a broken download, or another file: {path})"
            path.unlink()
        done = 0

        def count(received: int) -> None:
            nonlocal done
            done += received
            on_progress(artifact.label, done, artifact.size)

        try:
            (download or _with_jgo)(artifact, root, count)
        except OSError as error:  # requests' errors are OSErrors
            problem = f"cannot be downloaded ({' '.join(str(error).split())[:200] or type(error).__name__})"
    if path.is_file() and _sha256(path) == artifact.sha256:
        return path
    path.unlink(missing_ok=True)
    raise NodeError(f"{artifact.label} {problem}; check the network (proxy settings are honoured), then run it again")


def _with_jgo(artifact: Artifact, root: Path, on_bytes: Callable[[int], None]) -> None:
    with needs_extra("local", "the embedded OpenSearch"):
        from jgo.maven import MavenContext, PythonResolver

    @contextmanager
    def bar(name: str, total: int) -> Iterator[Callable[[int], None]]:
        yield on_bytes

    logging.getLogger("jgo").setLevel(logging.CRITICAL)
    context = MavenContext(repo_cache=root, local_repos=[], timeout=60, resolver=PythonResolver(progress_callback=bar))
    component = context.project(artifact.group, artifact.name).at_version(artifact.version)
    try:
        component.artifact(classifier=artifact.classifier, packaging=artifact.packaging).resolve()
    except RuntimeError as error:  # jgo's "could not be downloaded"
        raise OSError(str(error)) from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
