"""The server folder is whole or not there, and a killed or failed installation is simply done again."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from opensearch_lsr.errors import NodeError
from opensearch_lsr.local import artifacts, distribution, release, releases
from opensearch_lsr.local.home import lock, whole_folder

DEFAULT, OLDER = releases.find(), releases.find("2.19.1")


def quiet(what: str, done: int, total: int) -> None:
    """Report nothing."""


@pytest.fixture
def fake_recipe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Steps that write one file each; the returned list says which ran."""
    ran: list[str] = []

    def unzip(archive: Path, target: Path) -> None:
        ran.append("unzip")
        (target / "config").mkdir()
        (target / "lib").mkdir()
        (target / "plugins" / "opensearch-ml").mkdir(parents=True)
        (target / "config" / "jvm.options").write_text("-Xms1g\n20-:--add-modules=jdk.incubator.vector\n-Xmx1g\n")

    def install(server: Path, plugin: Path, java_home: Path) -> None:
        ran.append(plugin.name)

    def natives(natives: release.Natives, files: dict[str, Path], folder: Path) -> None:
        folder.mkdir()

    def fetch(artifact: artifacts.Artifact, root: Path, on_progress: artifacts.Progress) -> Path:
        file = tmp_path / artifact.name
        file.write_bytes(b"content")
        return file

    monkeypatch.setattr(artifacts, "fetch", fetch)
    monkeypatch.setattr(distribution, "_unzip_server", unzip)
    monkeypatch.setattr(distribution, "_install", install)
    monkeypatch.setattr(distribution, "_place_natives", natives)
    return ran


def test_a_server_is_assembled_once_with_its_plugins_in_order(tmp_path: Path, fake_recipe: list[str]) -> None:
    server = distribution.assemble(DEFAULT, tmp_path, tmp_path / "java", quiet)
    assert fake_recipe == ["unzip", *(plugin.name for plugin in DEFAULT.plugins)]
    assert (server / "config" / "jvm.options").read_text() == "-Xms1g\n-Xmx1g\n"
    assert {jar.name for jar in (server / "lib").iterdir()} == {jar.name for jar in DEFAULT.libraries}
    fake_recipe.clear()
    assert distribution.assemble(DEFAULT, tmp_path, tmp_path / "java", quiet) == server
    assert fake_recipe == []


def test_modules_that_a_server_lacks_are_there_before_plugins_that_extend_them(
    tmp_path: Path, fake_recipe: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[str] = set()

    def install(server: Path, plugin: Path, java_home: Path) -> None:
        seen.update(module.name for module in (server / "modules").iterdir())

    monkeypatch.setattr(distribution, "_install", install)
    server = distribution.assemble(OLDER, tmp_path, tmp_path / "java", quiet)
    assert seen == {"lang-painless", "analysis-common", "ingest-common", "mapper-extras", "reindex"}
    described = (server / "modules" / "analysis-common" / "plugin-descriptor.properties").read_text().splitlines()
    assert {"opensearch.version=2.19.1", "extended.plugins=lang-painless"} <= set(described)
    assert "createClassLoader" in (server / "modules" / "lang-painless" / "plugin-security.policy").read_text()
    assert not (server / "modules" / "reindex" / "plugin-security.policy").exists()
    assert "localeServiceProvider" in (server / distribution.POLICY).read_text()
    options = (server / "config" / "jvm.options").read_text().splitlines()
    assert options[-1] == f"-Djava.security.policy={server / distribution.POLICY}"


def test_releases_lie_side_by_side(tmp_path: Path, fake_recipe: list[str]) -> None:
    made = {distribution.assemble(one, tmp_path, tmp_path / "java", quiet) for one in releases.RELEASES.values()}
    assert {server.name.rpartition("-")[0] for server in made} == {
        f"opensearch-{version}" for version in releases.RELEASES
    }


def test_an_installation_that_fails_leaves_nothing_and_the_next_one_succeeds(
    tmp_path: Path, fake_recipe: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(server: Path, plugin: Path, java_home: Path) -> None:
        raise NodeError("no")

    with monkeypatch.context() as broken:
        broken.setattr(distribution, "_install", fail)
        with pytest.raises(NodeError):
            distribution.assemble(DEFAULT, tmp_path, tmp_path / "java", quiet)
    assert list((tmp_path / "servers").iterdir()) == []
    assert distribution.assemble(DEFAULT, tmp_path, tmp_path / "java", quiet).is_dir()


def test_a_killed_installation_is_not_taken_for_a_server(tmp_path: Path) -> None:
    target = tmp_path / "servers" / "opensearch"
    code = (
        "import os, signal, sys; from pathlib import Path; from opensearch_lsr.local.home import whole_folder\n"
        "with whole_folder(Path(sys.argv[1])) as draft:\n"
        "    (draft / 'half').write_text('x'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(target)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not target.exists()
    with whole_folder(target) as draft:
        (draft / "whole").write_text("x")
    assert [file.name for file in target.iterdir()] == ["whole"]


def test_another_pin_is_another_folder(tmp_path: Path, fake_recipe: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    before = distribution.assemble(DEFAULT, tmp_path, tmp_path / "java", quiet)
    monkeypatch.setattr(release, "RECIPE", release.RECIPE + 1)
    assert distribution.assemble(DEFAULT, tmp_path, tmp_path / "java", quiet) != before


def test_a_server_is_readable_by_everyone_whatever_the_umask(tmp_path: Path, fake_recipe: list[str]) -> None:
    before = os.umask(0o077)
    try:
        server = distribution.assemble(DEFAULT, tmp_path, tmp_path / "java", quiet)
    finally:
        os.umask(before)
    for path in (server, *server.rglob("*")):
        assert path.stat().st_mode & 0o444 == 0o444, path
        assert not path.is_dir() or path.stat().st_mode & 0o111 == 0o111, path


def test_a_lock_is_free_again_when_its_holder_is_killed(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from opensearch_lsr.local.home import lock\n"
        "with lock('assemble', Path(sys.argv[1])):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    with lock("assemble", tmp_path):
        assert (tmp_path / ".assemble.lock").is_file()


@pytest.mark.parametrize(("system", "machine"), [("Darwin", "arm64"), ("Windows", "AMD64"), ("Linux", "aarch64")])
def test_other_systems_are_told_what_they_need(system: str, machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    with pytest.raises(NodeError, match=r"Linux on x86-64.*docker compose up.*OPENSEARCH_URL"):
        distribution.require_supported_system()
