"""Fixtures for what SECURITY.md promises: a node behind TLS and a login, and traps in strangers' folders."""

from __future__ import annotations

import os
import pickle
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from secured_cluster import ALIAS, CANARY, Secured, add_user, role

from opensearch_lsr.local.node import Node


@pytest.fixture(scope="session")
def secured() -> Iterator[Secured]:
    """OpenSearch 2.19.1 with its security plugin, and a user for each of the roles, made as SECURITY.md says."""
    node = Node(f"tests-secured-{os.getpid()}", version="2.19.1")
    node.stop(wipe=True)
    try:
        with pytest.MonkeyPatch.context() as exported:
            exported.setenv("OPENSEARCH_PASSWORD", CANARY)
            info = node.start(heap="1g", secure=True, timeout=400)
        passwords = {"admin": Path(info.password_file).read_text()}
        made = Secured(info.url, Path(info.ca_certs), node.folder, info.pid, passwords)
        tasks = {"deployer": ["deployer"], "indexer": ["indexer"], "searcher": ["searcher"]}
        tasks["loader"] = ["indexer", "searcher"]
        tasks["migrator"] = ["deployer", "migrator"]
        for name, own in tasks.items():
            passwords[f"lsr-{name}"] = secrets.token_urlsafe(16)
            add_user(made.client(), f"lsr-{name}", passwords[f"lsr-{name}"], role(ALIAS, *own))
        yield made
    finally:
        node.stop(wipe=True)


class _Trap:
    """Unpickled, it writes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return open, (str(self.mark), "w")


@pytest.fixture
def booby_trap(tmp_path: Path) -> Callable[..., Callable[[], bool]]:
    """``booby_trap(folder)``: pickles and modules that write a file when they are opened; returns whether one was.

    A pickle takes the weights' own name only where there are other weights, or by ``weights=True``.
    """
    mark = tmp_path / "sprung"

    def lay(folder: Path, weights: bool = False) -> Callable[[], bool]:
        names = ["model.pt", "training_args.bin", "weights.pkl"]
        if weights or any(folder.glob("*.safetensors")):
            names.append("pytorch_model.bin")
        for name in names:
            (folder / name).write_bytes(pickle.dumps(_Trap(mark)))
        for name in ("trap.py", "modeling_bert.py", "configuration_bert.py", "tokenizer.py", "conftest.py"):
            (folder / name).write_text(f"open({str(mark)!r}, 'w').close()\n")
        return mark.exists

    return lay
