"""The server folder, assembled once from its artifacts and only read afterwards."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import zipfile
from pathlib import Path

from opensearch_lsr.errors import NodeError
from opensearch_lsr.local import artifacts
from opensearch_lsr.local.artifacts import Progress
from opensearch_lsr.local.home import lock, make_readable, whole_folder
from opensearch_lsr.local.release import Module, Natives, Release
from opensearch_lsr.stranger_files import inside

NEEDED_BYTES = 3_000_000_000  # downloads, server and unpacked natives
POLICY = "additions.policy"


def require_supported_system() -> None:
    """Refuse systems for which the recipe's natives do not exist.

    Raises:
        NodeError: elsewhere than on Linux on x86-64.
    """
    system, machine = platform.system(), platform.machine()
    if (system, machine) != ("Linux", "x86_64"):
        raise NodeError(
            f"the embedded OpenSearch runs on Linux on x86-64, this is {system} on {machine}: "
            "use `docker compose up` (docker-compose.yml), or set OPENSEARCH_URL to a cluster of yours"
        )


def assemble(release: Release, home: Path, java_home: Path, on_progress: Progress) -> Path:
    """Return the ready server folder, made if need be.

    Args:
        release: which version.
        home: see :mod:`opensearch_lsr.local.home`.
        java_home: runs the plugin installer.
        on_progress: called with (what, done, total), in bytes for downloads and in steps for plugins.

    Raises:
        NodeError: when something cannot be fetched or installed; nothing half-made stays.
    """
    target = home / "servers" / release.folder
    with lock("assemble", home):
        if target.is_dir():
            return target
        if (free := shutil.disk_usage(home).free) < NEEDED_BYTES:
            raise NodeError(f"{home} has {free / 1e9:.1f} GB free, the embedded OpenSearch needs 3: make room there")
        files = {a.name: artifacts.fetch(a, home / "maven", on_progress) for a in release.artifacts}
        with whole_folder(target) as draft:
            _unzip_server(files[release.server.name], draft)
            for module in release.modules:
                _place_module(module, release.version, files, draft / "modules" / module.name)
            for number, plugin in enumerate(release.plugins, start=1):
                on_progress(f"installing {plugin.name}", number, len(release.plugins))
                _install(draft, files[plugin.name], java_home)
            for jar in release.libraries:
                _place(files[jar.name], draft / "lib")
            _place(files[release.natives.torch.name], draft / "plugins" / "opensearch-ml")
            _place_natives(release.natives, files, draft / "natives")
            _drop_vector_module(draft / "config" / "jvm.options")
            if release.policy:
                (draft / POLICY).write_text(release.policy)
                with (draft / "config" / "jvm.options").open("a") as options:
                    options.write(f"-Djava.security.policy={target / POLICY}\n")
            make_readable(draft)
    return target


def _unzip_server(archive: Path, target: Path) -> None:
    """Unzip without the top folder, keeping the scripts' permission to run."""
    with zipfile.ZipFile(archive) as zipped:
        for entry in zipped.infolist():
            inner = entry.filename.partition("/")[2]
            path = inside(target, inner, NodeError)
            if entry.is_dir():
                path.mkdir(parents=True, exist_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(zipped.read(entry))
            if inner.startswith("bin/"):
                path.chmod(0o755)


def _install(server: Path, plugin: Path, java_home: Path) -> None:
    command = [str(server / "bin" / "opensearch-plugin"), "install", "-b", plugin.as_uri()]
    # the scripts obey OPENSEARCH_HOME, OPENSEARCH_PATH_CONF and more: none of the caller's may reach them
    environment = {"PATH": os.environ.get("PATH", os.defpath), "OPENSEARCH_JAVA_HOME": str(java_home)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if "Exception" in line or "ERROR" in line]
        raise NodeError(f"installing {plugin.name} failed: {' '.join(lines[:1])[:300]}")


def _place(file: Path, folder: Path) -> None:
    (folder / file.name).write_bytes(file.read_bytes())


def _place_module(module: Module, version: str, files: dict[str, Path], folder: Path) -> None:
    folder.mkdir(parents=True)
    for jar in module.jars:
        _place(files[jar.name], folder)
    (folder / "plugin-descriptor.properties").write_text(module.descriptor(version))
    if module.policy:
        (folder / "plugin-security.policy").write_text(module.policy)


def _place_natives(natives: Natives, files: dict[str, Path], folder: Path) -> None:
    """Unpack PyTorch's libraries and the bridge to them."""
    folder.mkdir()
    with zipfile.ZipFile(files[natives.torch.name]) as jar:
        for name in jar.namelist():
            if name.startswith("pytorch/cpu/linux-x86_64/lib"):
                with jar.open(name) as packed, (folder / Path(name).name).open("wb") as file:
                    shutil.copyfileobj(packed, file)
    with zipfile.ZipFile(files[natives.jni.name]) as jar:
        (folder / natives.bridge).write_bytes(jar.read("jnilib/linux-x86_64/cpu/libdjl_torch.so"))


def _drop_vector_module(options: Path) -> None:
    """The wheel's Java has no jdk.incubator.vector; without this the JVM does not start."""
    lines = options.read_text().splitlines()
    options.write_text("\n".join(line for line in lines if "jdk.incubator.vector" not in line) + "\n")
