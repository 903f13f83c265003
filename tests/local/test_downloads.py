"""A download is used only when it is whole and the pinned file."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

import pytest

from opensearch_lsr.errors import NodeError
from opensearch_lsr.local import additions, artifacts, release_2_19_1, release_3_6_0
from opensearch_lsr.local.artifacts import Artifact, fetch
from opensearch_lsr.local.releases import RELEASES

GOOD = b"the pinned file" * 1000
ARTIFACT = Artifact("org.example", "thing", "1.0", "zip", len(GOOD), hashlib.sha256(GOOD).hexdigest())


class Server:
    """A download that answers with prepared contents in turn; the last one stays."""

    def __init__(self, answers: Sequence[bytes | OSError]) -> None:
        self.answers = answers
        self.requests = 0

    def __call__(self, artifact: Artifact, root: Path, on_bytes: Callable[[int], None]) -> None:
        answer = self.answers[min(self.requests, len(self.answers) - 1)]
        self.requests += 1
        if isinstance(answer, OSError):
            raise answer
        file = artifact.path(root)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(answer)
        on_bytes(len(answer))


def fetched(root: Path, *answers: bytes | OSError) -> tuple[Path, Server]:
    server = Server(answers)
    return fetch(ARTIFACT, root, lambda what, done, total: None, server), server


def test_a_whole_file_is_fetched_once(tmp_path: Path) -> None:
    first, server = fetched(tmp_path, GOOD)
    assert first.read_bytes() == GOOD
    assert server.requests == 1
    again, server = fetched(tmp_path, GOOD)
    assert again == first
    assert server.requests == 0


@pytest.mark.parametrize("left", [b"", GOOD[:100], b"x" * len(GOOD)], ids=["empty", "truncated", "same size"])
def test_what_a_killed_download_left_is_fetched_again(tmp_path: Path, left: bytes) -> None:
    file = ARTIFACT.path(tmp_path)
    file.parent.mkdir(parents=True)
    file.write_bytes(left)
    found, server = fetched(tmp_path, GOOD)
    assert found.read_bytes() == GOOD
    assert server.requests == 1


@pytest.mark.parametrize(
    "broken",
    [GOOD[:100], b"another file", ConnectionError("reset"), TimeoutError()],
    ids=["truncated", "wrong", "reset", "timeout"],
)
def test_a_broken_download_is_repeated(tmp_path: Path, broken: bytes | OSError) -> None:
    found, server = fetched(tmp_path, broken, GOOD)
    assert found.read_bytes() == GOOD
    assert server.requests == 2


def test_a_wrong_file_is_refused_and_deleted(tmp_path: Path) -> None:
    with pytest.raises(NodeError, match=r"thing 1\.0 has SHA-256") as refusal:
        fetched(tmp_path, b"another file")
    assert ARTIFACT.sha256[:16] in str(refusal.value)
    assert hashlib.sha256(b"another file").hexdigest()[:16] in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert not ARTIFACT.path(tmp_path).exists()


def test_without_a_network_the_error_names_the_artifact_and_the_remedy(tmp_path: Path) -> None:
    server = Server([ConnectionError("unreachable")])
    with pytest.raises(NodeError, match=r"thing 1\.0 .*check the network"):
        fetch(ARTIFACT, tmp_path, lambda what, done, total: None, server)
    assert server.requests == artifacts.TRIES


def test_progress_counts_bytes_up_to_the_size(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    fetch(ARTIFACT, tmp_path, lambda *step: seen.append(step), Server([GOOD]))
    assert seen == [("thing 1.0", len(GOOD), len(GOOD))]


@pytest.mark.parametrize("version", RELEASES)
def test_every_artifact_is_pinned(version: str) -> None:
    all_ = RELEASES[version].artifacts
    assert len({artifact.path(Path()) for artifact in all_}) == len({artifact.name for artifact in all_}) == len(all_)
    for artifact in all_:
        assert re.fullmatch(r"[0-9a-f]{64}", artifact.sha256), artifact
        assert artifact.size > 0


@pytest.mark.parametrize("module", [additions, artifacts, release_2_19_1, release_3_6_0])
def test_no_host_is_named(module: ModuleType) -> None:
    assert "://" not in Path(str(module.__file__)).read_text()


def test_a_classifier_is_part_of_the_file_name() -> None:
    native = dataclasses.replace(ARTIFACT, classifier="linux-x86_64")
    assert native.path(Path("root")) == Path("root/org/example/thing/1.0/thing-1.0-linux-x86_64.zip")
