"""Passwords and keys are in no output, log, list of processes or file, whatever goes wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from secured_cluster import CANARY, Secured, add_user, role

from opensearch_lsr.bundle import Bundle

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
USER, PASSWORD, ALIAS = "somebody", CANARY, "quiet"
KEY = "unmistakable/AWS+secret+KEY/Zq7Zq7Zq7Zq7"
# as it is, as basic authentication sends it, and as it stands in a URL
FORMS = [PASSWORD, b64encode(f"{USER}:{PASSWORD}".encode()).decode().rstrip("="), KEY, "unmistakable%2FAWS"]
DEBUG = """
import logging, sys, http.client
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr, force=True)
for name in ("opensearch", "opensearchpy.trace", "urllib3", "botocore", "elasticsearch"):
    logging.getLogger(name).setLevel(logging.DEBUG)
    logging.getLogger(name).addHandler(logging.StreamHandler(sys.stderr))
from opensearch_lsr.cli.main import main
main()
"""
TARGET = ("--alias", ALIAS)
DEPLOY = ("deploy", "BUNDLE", *TARGET, "--field", "text", "--encode", "client")
INDEX = ("index", "d.jsonl", *TARGET, "--bundle", "BUNDLE")
AWS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": KEY, "AWS_REGION": "eu-west-1"}
# what is run one after the other, with what is exported beside the login, and how it ends
RUNS: list[tuple[tuple[str, ...], dict[str, str], int]] = [
    ((*DEPLOY, "--dry-run"), {}, 0),
    ((*DEPLOY, "--json"), {}, 0),
    ((*INDEX, "--json"), {}, 0),
    (("search", "water", *TARGET, "--timings"), {}, 0),
    (("search", "water", *TARGET, "--body"), {}, 0),
    (("status", *TARGET), {}, 0),
    (("status", *TARGET, "--insecure"), {"OPENSEARCH_CA_CERTS": ""}, 0),
    (("status", *TARGET), {"OPENSEARCH_CA_CERTS": ""}, 1),  # not trusted
    (("status", *TARGET), {"OPENSEARCH_USERNAME": "nobody"}, 1),  # refused
    (("status", "--alias", "private"), {}, 1),  # not permitted
    (("status", *TARGET), {"OPENSEARCH_URL": "https://127.0.0.1:9"}, 1),  # not there
    (("status", *TARGET), {"OPENSEARCH_URL": f"https://{USER}:{PASSWORD}@127.0.0.1:9200"}, 1),
    (("status", *TARGET), {"OPENSEARCH_URL": f"{USER}:{PASSWORD}@127.0.0.1:9200"}, 1),
    (("status", *TARGET, "--url", f"ftp://127.0.0.1/?password={PASSWORD}"), {}, 1),
    (("status", *TARGET, "--aws", "es"), {**AWS, "OPENSEARCH_USERNAME": ""}, 1),  # signed; this cluster refuses it
    (("status", *TARGET, "--aws", "es"), AWS, 1),  # one or the other
    (("undeploy", *TARGET, "--yes"), {}, 0),
]


@pytest.fixture(scope="module")
def somebody(secured: Secured) -> Iterator[Secured]:
    """A user who may deploy, load and search behind one alias; secrets that are easily told from all else."""
    add_user(secured.client(), USER, PASSWORD, role(ALIAS, "deployer", "indexer", "searcher"))
    secured.passwords[USER] = PASSWORD
    yield secured
    del secured.passwords[USER]


def command_lines(pid: int) -> str:
    """Of a process and its children, as everybody on the machine sees them."""
    found = ""
    with suppress(OSError):
        found = Path(f"/proc/{pid}/cmdline").read_text()
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            found += command_lines(int(child))
    return found


@pytest.mark.parametrize("verbosity", ["plain", "debug"])
def test_no_command_shows_a_secret(somebody: Secured, tiny: Bundle, tmp_path: Path, verbosity: str) -> None:
    (tmp_path / "d.jsonl").write_text('{"_id": "1", "text": "water"}\n')
    login = {"OPENSEARCH_USERNAME": USER, "OPENSEARCH_PASSWORD": PASSWORD}
    place = {"OPENSEARCH_URL": somebody.url, "OPENSEARCH_CA_CERTS": str(somebody.ca_certs)}
    program = (
        [sys.executable, "-c", DEBUG, "--verbose"]
        if verbosity == "debug"
        else [sys.executable, "-m", "opensearch_lsr.cli"]
    )
    shown = listed = ""
    for arguments, environment, expected in RUNS:
        asked = [str(tiny.path) if argument == "BUNDLE" else argument for argument in arguments]
        given = " ".join(asked)
        with subprocess.Popen(
            [*program, *asked],
            cwd=tmp_path,
            env=os.environ | login | place | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            seen = ""
            while process.poll() is None:
                seen += command_lines(process.pid)
                with suppress(subprocess.TimeoutExpired):
                    output, _ = process.communicate(timeout=0.1)
        assert process.returncode == expected, (arguments, output)
        shown, listed = shown + output, listed + seen
        for form in FORMS:
            assert form not in output, (arguments, output)
            assert form not in seen or form in given
    assert "status" in listed  # they were looked at
    assert verbosity == "plain" or "GET https://127.0.0.1" in shown  # opensearch-py said what it did
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert not [form for form in FORMS if form.encode() in kept]


def test_the_nodes_files_and_processes_hold_no_password(somebody: Secured) -> None:
    """Hashes only; the administrator's own lies in one file that its owner alone can read."""
    forms = [*FORMS, somebody.passwords["admin"]]
    own = somebody.folder / "security" / "admin-password"
    holding = [
        path
        for path in somebody.folder.rglob("*")
        if path.is_file() and not path.is_symlink() and any(form.encode() in path.read_bytes() for form in forms)
    ]
    assert holding == [own]
    assert own.stat().st_mode & 0o077 == 0
    assert own.parent.stat().st_mode & 0o077 == 0
    assert not (somebody.folder / "security" / "ca.p12").exists()
    record = json.loads((somebody.folder / "node.json").read_text())
    assert record["password_file"] == str(own)
    process = Path(f"/proc/{somebody.pid}")
    for part in ("cmdline", "environ"):
        assert not [form for form in forms if form.encode() in (process / part).read_bytes()]


def test_starting_it_shows_the_passwords_place_only(secured: Secured) -> None:
    """`cluster up --secure` prints lines to paste, and says again what runs."""
    name = secured.folder.name
    program = [sys.executable, "-m", "opensearch_lsr.cli", "cluster", "up", "--name", name]
    for arguments in (["--version", "2.19.1", "--secure"], ["--json"]):
        done = subprocess.run([*program, *arguments], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert secured.passwords["admin"] not in done.stdout + done.stderr
        assert str(secured.ca_certs) in done.stdout
        assert "admin-password" in done.stdout
    refusal = subprocess.run([*program[:-1], f"{name}-b", "--secure"], capture_output=True, text=True)
    assert (refusal.returncode, refusal.stderr.count("\n")) == (1, 1)
    assert "is run without its security plugin: choose --version 2.19.1" in refusal.stderr
