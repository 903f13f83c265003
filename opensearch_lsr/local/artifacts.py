"""What the embedded OpenSearch is made of: Maven artifacts with pinned SHA-256, fetched once into a cache."""

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

VERSION = "3.6.0"
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


_OS, _PLUGIN, _ICU, _DJL = (
    "org.opensearch.distribution.integ-test-zip",
    "org.opensearch.plugin",
    "com.ibm.icu",
    "ai.djl.pytorch",
)
SERVER = Artifact(
    _OS, "opensearch", VERSION, "zip", 161609640, "a91faa1dc1cadc78cb278b4f63847e19e1627a4e9de698e14e7efc14ee37b286"
)
PLUGINS = [  # in the order of their dependencies
    Artifact(
        _PLUGIN, "opensearch-job-scheduler", f"{VERSION}.0", "zip", 368626,
        "f81d0aa9fc850b18f803292bd7ae68bd33561f6c1d12db0f68529d40eddcee24",
    ),
    Artifact(
        _PLUGIN, "opensearch-knn", f"{VERSION}.0", "zip", 6015541,
        "ac392ca28a39b3bf290648a422ef30cb149dda2963a9d7feb26060e932341c9a",
    ),
    Artifact(
        _PLUGIN, "opensearch-ml-plugin", f"{VERSION}.0", "zip", 390566619,
        "c051d436fe1936da1477bb999db829eb2bc92b12989e376c300d0a874fb90f9d",
    ),
    Artifact(
        _PLUGIN, "neural-search", f"{VERSION}.0", "zip", 12095213,
        "6ef1b206e79391e2e36268e32dc34d27fd8b8a59a8eb0a7393c97d53b038e433",
    ),
]  # fmt: skip
# the wheel's Java has no Thai break iterator, and without one no index can be created
BREAK_ITERATORS = [
    Artifact(
        _ICU, "icu4j", "77.1", "jar", 14663227, "b3640b9f416a4411fd33c59abbeea8fd57d024c23e1819bf9673220a97499fe3"
    ),
    Artifact(
        _ICU,
        "icu4j-localespi",
        "77.1",
        "jar",
        50797,
        "77d0da4f10c6158174cc3dafbb51356031a09e0fcaaf0432330afb4fb552cac9",
    ),
]
# DJL's ONNX engine needs PyTorch's natives as its helper and would otherwise download them at the first deploy
TORCH_NATIVE = Artifact(
    _DJL, "pytorch-native-cpu", "2.5.1", "jar", 109602264,
    "9c4f35fb64cb3fba34340b432c648e1bea044adeee554b473d5882499b16f0a4", "linux-x86_64",
)  # fmt: skip
TORCH_JNI = Artifact(
    _DJL,
    "pytorch-jni",
    "2.5.1-0.32.0",
    "jar",
    4931626,
    "342bde24382eef06e93a2461fd8f293e5c2c6c72caca7d66019d0a9447d96265",
)
ALL = [SERVER, *PLUGINS, *BREAK_ITERATORS, TORCH_NATIVE, TORCH_JNI]

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
