"""A cluster behind TLS and a login, as its users see it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opensearchpy import OpenSearch

from opensearch_lsr.cluster import templates
from opensearch_lsr.cluster.connect import connect

ALIAS = "articles"
CANARY = "Zq7-unmistakable-Zq7"  # a password that is exported while the node is started


@dataclass(frozen=True)
class Secured:
    """A node behind TLS and a login. ``passwords`` has those of its users, each named after its one role."""

    url: str
    ca_certs: Path
    folder: Path
    pid: int
    passwords: dict[str, str] = field(repr=False)

    def client(self, user: str = "admin") -> OpenSearch:
        return connect(self.url, username=user, password=self.passwords[user], ca_certs=self.ca_certs)

    def run(self, user: str, *arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        """The command, as a user; ``environment`` is laid over what they would have exported."""
        login = {"OPENSEARCH_USERNAME": user, "OPENSEARCH_PASSWORD": self.passwords[user]}
        place = {"OPENSEARCH_URL": self.url, "OPENSEARCH_CA_CERTS": str(self.ca_certs)}
        command = [sys.executable, "-m", "opensearch_lsr.cli", *arguments]
        env = os.environ | login | place | environment
        return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=120)

    def refused(self, user: str, *arguments: str, cwd: Path, **environment: str) -> str:
        """Run a command that must fail: exit code 1, and one line on stderr, which is returned."""
        done = self.run(user, *arguments, cwd=cwd, **environment)
        lines = done.stderr.strip().splitlines()
        assert (done.returncode, len(lines)) == (1, 1), (done.returncode, done.stderr)
        assert lines[0].startswith("error: ")
        return lines[0]


def role(alias: str, *tasks: str) -> dict[str, Any]:
    """The body of one role that has what each of those tasks needs, from ``pipelines/roles``."""
    bodies = [templates.load(f"roles/lsr-{task}", alias=alias) for task in tasks]
    return {key: [one for body in bodies for one in body[key]] for key in ("cluster_permissions", "index_permissions")}


def add_user(admin: OpenSearch, name: str, password: str, role: dict[str, Any]) -> None:
    """A user of that name with that one role, of that name, too."""
    for kind, body in {
        "roles": role,
        "internalusers": {"password": password},
        "rolesmapping": {"users": [name]},
    }.items():
        admin.transport.perform_request("PUT", f"/_plugins/_security/api/{kind}/{name}", body=body)
