"""One embedded node: start, wait until models can be registered, status, stop."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from opensearch_lsr.errors import NodeError
from opensearch_lsr.local import config, data_version, distribution, java, machine, process, releases, secured
from opensearch_lsr.local.artifacts import Progress
from opensearch_lsr.local.home import home as default_home
from opensearch_lsr.local.home import lock, make_folder
from opensearch_lsr.local.node_info import NodeInfo
from opensearch_lsr.local.ready import wait_until_ready
from opensearch_lsr.local.release import Release


class Node:
    """The embedded node of one name; its folder holds config, data, logs, tmp and ``node.json``.

    Args:
        name: several nodes may run side by side.
        home: where everything lives; by default :func:`opensearch_lsr.local.home.home`.
        version: which OpenSearch to start, one of :data:`opensearch_lsr.local.releases.RELEASES`; by default
            whatever runs already, or that of its data, or else 3.6.0.
        cluster: which cluster it is one of; by default one of its own. Where the others are, and ``discovery.type:
            zen``, is for the settings of :meth:`start`.

    Raises:
        NodeError: for a name or a home that cannot be used, or a version that is not known.
    """

    def __init__(
        self, name: str = "default", home: Path | None = None, version: str | None = None, cluster: str | None = None
    ) -> None:
        if not name.replace("-", "").isalnum():
            raise NodeError(f"node name {name!r}: letters, digits and '-' only")
        self.name = name
        self.cluster_name = f"opensearch-lsr-{cluster or name}"
        self._asked = releases.find(version) if version else None
        self.home = (home or default_home()).absolute()
        if any(character.isspace() for character in str(self.home)):  # the server's start script splits there
            raise NodeError(f"{self.home} has blanks in its path: set OPENSEARCH_LSR_HOME to a folder without")
        self.folder = self.home / "nodes" / name
        self.config, self.data, self.logs, self.temporary = (
            self.folder / part for part in ("config", "data", "logs", "tmp")
        )

    @cached_property
    def release(self) -> Release:
        """What is started; without a version asked for its data decides, so not to be read while it runs."""
        return self._asked or data_version.release(self.data)

    @property
    def log_file(self) -> Path:
        return self.logs / f"{self.cluster_name}.log"

    def start(
        self,
        *,
        heap: str | None = None,
        port: int | None = None,
        secure: bool = False,
        upgrade: bool = False,
        settings: Mapping[str, object] | None = None,
        on_progress: Progress = lambda what, done, total: None,
        timeout: float = 180,
    ) -> NodeInfo:
        """Start the node, or return it when it runs already; it outlives this process.

        Args:
            heap: Java heap such as ``2g``; by default a quarter of the memory, 1 to 4 GiB.
            port: HTTP port on 127.0.0.1; by default 9200 or, when that is taken, a free one.
            secure: behind TLS and a login, see :mod:`opensearch_lsr.local.secured`; it stays so until it is wiped.
            upgrade: take over data of an older version, see :mod:`opensearch_lsr.local.data_version`.
            settings: laid over the node's own ``opensearch.yml``.
            on_progress: called with (what, done, total) while it is fetched and assembled.
            timeout: seconds from start to ready.

        Raises:
            NodeError: when it cannot be fetched or started, or has data of another version; nothing is left running.
            MissingExtraError: when the ``local`` extra is not installed.
        """
        distribution.require_supported_system()
        with lock(f"node-{self.name}", self.home):
            if running := self.status():
                self._check_is_asked(running, port, secure)
                # the process that started it may have been killed before it was ready
                self._wait(running, lambda: self._is_ours(running.pid), timeout)
                return running
            data_version.check(self.name, self.data, self.release.version, upgrade)
            if secure := secure or secured.login(self.folder) is not None:
                secured.check(self.release)
            heap = machine.checked(heap) if heap else machine.heap_for(machine.memory())
            java_home = java.find(self.home, self.release.newest_java)
            server = distribution.assemble(self.release, self.home, java_home, on_progress)
            on_progress("starting OpenSearch", 0, 0)
            with lock("ports", self.home):  # a port is taken once it is in some node.json, bound or not yet
                port = machine.free_port(port, self._recorded_ports())
                login = secured.make(self.folder, server, java_home) if secure else None
                self._prepare(server, heap, port, settings or {})
                server_process = self._launch(server, java_home)
                url = f"{'https' if login else 'http'}://127.0.0.1:{port}"
                info = NodeInfo(
                    self.name,
                    self.release.version,
                    url,
                    server_process.pid,
                    heap,
                    time.time(),
                    log=str(self.log_file),
                    data=str(self.data),
                    ca_certs=str(login.ca_certs) if login else "",
                    password_file=str(login.password_file) if login else "",
                )
                info.write(self._state)
            self._wait(info, lambda: server_process.poll() is None, timeout)
            return info

    def status(self) -> NodeInfo | None:
        """The running node, or None."""
        info = NodeInfo.read(self._state)
        return info if info and self._is_ours(info.pid) else None

    def stop(self, *, timeout: float = 60, wipe: bool = False) -> bool:
        """Stop the node; nothing of it is left running.

        Args:
            timeout: seconds before it is killed.
            wipe: delete its data, config and logs, too.

        Returns:
            Whether it was running.
        """
        with lock(f"node-{self.name}", self.home):
            was_running = self._stop(timeout)
            if wipe:
                shutil.rmtree(self.folder, ignore_errors=True)
            return was_running

    def _stop(self, timeout: float) -> bool:
        info = self.status()
        if info:
            process.send(info.pid, signal.SIGTERM)
            if not process.gone(info.pid, self._is_ours, timeout):
                process.send(info.pid, signal.SIGKILL)
                if not process.gone(info.pid, self._is_ours, 30):
                    raise NodeError(f"process {info.pid} of node {self.name} does not end; stop it by hand")
            process.send(info.pid, signal.SIGKILL)  # what of its start script is left
        self._state.unlink(missing_ok=True)
        return info is not None

    def _check_is_asked(self, running: NodeInfo, port: int | None, secure: bool) -> None:
        if port and not running.url.endswith(f":{port}"):
            raise NodeError(f"node {self.name} runs at {running.url} already: stop it first, or leave out the port")
        if secure and not running.ca_certs:
            raise NodeError(f"node {self.name} runs without TLS and login already: stop it first, or take another name")
        if self._asked and running.version != self._asked.version:
            raise NodeError(
                f"node {self.name} runs OpenSearch {running.version} already: stop it first, "
                f"or start {self._asked.version} under another name"
            )

    def _wait(self, info: NodeInfo, is_alive: Callable[[], bool], timeout: float) -> None:
        try:
            login = secured.login(self.folder)
            wait_until_ready(info.url, self.cluster_name, is_alive, self.log_file, timeout, login)
        except BaseException:
            self._stop(timeout=5)
            raise

    def _recorded_ports(self) -> set[int]:
        ports = set()
        for state in (self.home / "nodes").glob("*/node.json"):
            with suppress(NodeError):  # a folder that is no node's
                if info := Node(state.parent.name, self.home).status():
                    ports.add(int(info.url.rpartition(":")[2]))
        return ports

    @property
    def _state(self) -> Path:
        return self.folder / "node.json"

    def _prepare(self, server: Path, heap: str, port: int, settings: Mapping[str, object]) -> None:
        make_folder(self.folder)
        login = secured.login(self.folder)
        own = {"cluster.name": self.cluster_name, "node.name": self.name, "http.port": port}
        own |= secured.settings(self.release, login)
        config.write(server, self.config, data=self.data, logs=self.logs, heap=heap, settings={**own, **settings})
        if login:
            secured.place(self.folder, self.config)
        natives = self.data / self.release.natives.folder
        natives.parent.mkdir(parents=True, exist_ok=True)
        natives.unlink(missing_ok=True)
        natives.symlink_to(server / "natives", target_is_directory=True)  # 440 MB, shared by all nodes
        self.logs.mkdir(exist_ok=True)
        shutil.rmtree(self.temporary, ignore_errors=True)  # a killed node leaves some 400 MB there
        self.temporary.mkdir()

    def _launch(self, server: Path, java_home: Path) -> subprocess.Popen[bytes]:
        environment = {  # nothing of the caller's: passwords stay out, and so do JDK_JAVA_OPTIONS or DJL's own switches
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "OPENSEARCH_JAVA_HOME": str(java_home),
            "OPENSEARCH_PATH_CONF": str(self.config),
            "OPENSEARCH_TMPDIR": str(self.temporary),  # else a new folder in /tmp at every start, never removed
            "HOME": str(self.data),
            **self.release.environment,
        }
        user: dict[str, Any] = {}
        if os.geteuid() == 0:  # OpenSearch refuses to run as root
            import pwd  # not on Windows

            nobody = pwd.getpwnam("nobody")
            user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            # not the folder itself: root writes node.json and console.log there and must not be led elsewhere by a link
            for part in (self.config, self.data, self.logs, self.temporary):
                part.chmod(0o755)
                for path in [part, *part.rglob("*")]:
                    os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)
        console = (self.folder / "console.log").open("wb")
        with console:
            try:
                return subprocess.Popen(
                    [str(server / "bin" / "opensearch")],
                    cwd=self.folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=console,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # outlives this process and its terminal
                    **user,
                )
            except OSError as error:
                raise NodeError(
                    f"{server} cannot be run by the unprivileged user that OpenSearch needs ({error.strerror}): "
                    "set OPENSEARCH_LSR_HOME to a folder that everyone can read"
                ) from error

    def _is_ours(self, pid: int) -> bool:
        """Only a live process started with this node's config folder is this node."""
        return process.runs(pid, f"OPENSEARCH_PATH_CONF={self.config}")
