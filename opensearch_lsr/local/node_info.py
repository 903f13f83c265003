"""What is kept of a running node, in its ``node.json``."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class NodeInfo:
    """A running node.

    Attributes:
        name: its own.
        version: of OpenSearch.
        url: where it answers.
        pid: its process.
        heap: of its Java.
        started: in seconds since the epoch.
        log: its log file.
        data: its data folder.
        ca_certs: PEM file of the authority that a secured node's certificate is by; empty for others.
        password_file: holds the password of a secured node's ``admin``; empty for others.
    """

    name: str
    version: str
    url: str
    pid: int
    heap: str
    started: float
    log: str
    data: str
    ca_certs: str = ""
    password_file: str = ""

    @classmethod
    def read(cls, file: Path) -> NodeInfo | None:
        """What a node's file says; None where there is none, or a damaged one."""
        try:
            return cls(**json.loads(file.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, file: Path) -> None:
        """Keep it."""
        file.write_text(json.dumps(self.as_dict()))

    def as_dict(self) -> dict[str, object]:
        return asdict(self)
