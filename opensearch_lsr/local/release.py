"""What one version of OpenSearch is made of, as data; :mod:`opensearch_lsr.local.releases` has them all."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from opensearch_lsr.local.artifacts import Artifact

RECIPE = 2  # raise it when the steps in distribution.py change


@dataclass(frozen=True)
class Module:
    """A module that a release's server zip lacks, put together from its jars.

    Attributes:
        class_name: its entry point.
        jars: its own and what it needs.
        extends: modules whose classes it sees.
        permissions: of its Java security policy, beyond what all modules have.
    """

    name: str
    class_name: str
    jars: tuple[Artifact, ...]
    extends: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()

    def descriptor(self, version: str) -> str:
        """Its ``plugin-descriptor.properties``."""
        lines = {
            "name": self.name,
            "description": self.name,
            "version": version,
            "opensearch.version": version,
            "java.version": "11",
            "classname": self.class_name,
            "extended.plugins": ",".join(self.extends),
            "has.native.controller": "false",
        }
        return "".join(f"{key}={value}\n" for key, value in lines.items())

    @property
    def policy(self) -> str:
        """Its ``plugin-security.policy``; empty when it needs none."""
        return _policy(self.permissions)


@dataclass(frozen=True)
class Natives:
    """PyTorch's native libraries for the DJL that a release's ML Commons has.

    DJL's ONNX engine needs them as its helper, and would otherwise download them at the first deploy.

    Attributes:
        torch: the libraries.
        jni: DJL's bridge to them.
        folder: in a node's data, where DJL looks before it downloads.
        bridge: the bridge's file name there.
    """

    torch: Artifact
    jni: Artifact
    folder: str
    bridge: str


@dataclass(frozen=True)
class Release:
    """A version that can be run.

    Attributes:
        version: of the server.
        server: its zip.
        plugins: in the order of their dependencies.
        libraries: jars for the server's own ``lib`` folder.
        natives: for models.
        modules: what the server's zip lacks.
        permissions: added for all code, where the server runs under a Java security manager.
        environment: variables that the server is started with.
        newest_java: the last major version of Java that starts it; None for no limit known.
    """

    version: str
    server: Artifact
    plugins: tuple[Artifact, ...]
    libraries: tuple[Artifact, ...]
    natives: Natives
    modules: tuple[Module, ...] = ()
    permissions: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    newest_java: int | None = None

    @property
    def artifacts(self) -> list[Artifact]:
        """All that is fetched."""
        jars = [jar for module in self.modules for jar in module.jars]
        return [self.server, *self.plugins, *self.libraries, self.natives.torch, self.natives.jni, *jars]

    @property
    def policy(self) -> str:
        """What is added to the server's security policy; empty when nothing is."""
        return _policy(self.permissions)

    @property
    def folder(self) -> str:
        """The name of its assembled server's folder: another one as soon as anything in it changes."""
        parts = [artifact.sha256 for artifact in self.artifacts]
        parts += [module.descriptor(self.version) + module.policy for module in self.modules]
        parts.append(self.policy)
        key = hashlib.sha256(f"{RECIPE} {''.join(parts)}".encode()).hexdigest()[:8]
        return f"opensearch-{self.version}-{key}"


def _policy(permissions: tuple[str, ...]) -> str:
    return "".join(["grant {\n", *(f"  permission {one};\n" for one in permissions), "};\n"]) if permissions else ""
