"""The wheel, installed without any extra in an environment of its own: complete, and clear about what it lacks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT)], check=True)
    (wheel,) = folder.glob("opensearch_lsr-*.whl")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    subprocess.run([str(folder / "venv/bin/python"), "-m", "pip", "install", "-q", str(wheel)], check=True)
    return folder / "venv" / "bin" / "opensearch-lsr"


def run(command: Path, *arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OPENSEARCH_LSR_HOME": str(home), "OPENSEARCH_URL": "http://127.0.0.1:9"}
    return subprocess.run([str(command), *arguments], cwd=home, env=environment, capture_output=True, text=True)


def test_the_base_install_serves_queries(command: Path, tmp_path: Path) -> None:
    assert run(command, "--help", home=tmp_path).returncode == 0
    shown = run(command, "expand", "brake noise", "--json", home=tmp_path)
    assert set(json.loads(shown.stdout)) == {"brake", "noise"}


def test_the_base_install_shows_shipped_recipes(command: Path, tmp_path: Path) -> None:
    shown = run(command, "train", "inference-free", "-o", "checkpoint", "--dry-run", home=tmp_path)
    assert shown.returncode == 0
    assert 'name = "inference-free"' in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["expand", "brake noise", "--document"], "onnx"),
        (["export", ".", "-o", "bundle"], "export"),
        (["train", "inference-free", "-o", "checkpoint"], "train"),
        (["cluster", "up"], "local"),
        (["status", "--alias", "a", "--aws", "es"], "aws"),
        (["benchmark", "run", ".", "-o", "results"], "eval"),
    ],
)
def test_a_missing_extra_is_answered_with_its_pip_line(
    command: Path, tmp_path: Path, arguments: list[str], extra: str
) -> None:
    done = run(command, *arguments, home=tmp_path)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.endswith(f"pip install 'opensearch-lsr[{extra}]'")


def test_the_wheel_carries_what_is_sent_and_shipped(command: Path, tmp_path: Path) -> None:
    code = (
        "from opensearch_lsr.cluster import templates; from opensearch_lsr.bundle import Bundle\n"
        "from pathlib import Path; import opensearch_lsr; Bundle.open('default').verify()\n"
        "assert templates.FOLDER.name == '_pipelines'\n"
        "templates.load('index'); templates.load('roles/lsr-searcher', alias='a')\n"
        "sample = Path(opensearch_lsr.__file__).parent / 'samples/handbook'\n"
        "assert (sample / 'qrels/test.tsv').is_file()\n"
        "report = Path(opensearch_lsr.__file__).parent / 'evaluation/report'\n"
        "assert all((report / name).is_file() for name in ('report.html.j2', 'report.css'))"
    )
    subprocess.run([str(command.with_name("python")), "-c", code], cwd=tmp_path, check=True)
