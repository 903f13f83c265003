"""Requests for AWS carry the signature that AWS' own description of it gives."""

from __future__ import annotations

import datetime
import http.server
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.auth
import pytest
from opensearchpy import helpers
from sigv4_by_hand import signature

from opensearch_lsr.cluster.connect import connect
from opensearch_lsr.errors import InputError

KEY, SECRET, TOKEN = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "a session/token+of=AWS"
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>\w+)/\d{8}/(?P<region>[\w-]+)/(?P<service>\w+)/aws4_request, "
    r"SignedHeaders=(?P<signed>[\w;-]+), Signature=(?P<signature>[0-9a-f]{64})"
)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Credentials and a region in the environment, and none anywhere else."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "eu-west-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


class Recording(http.server.BaseHTTPRequestHandler):
    """Keeps what it is sent."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, str, dict[str, str], bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.seen.append((self.command, self.path, headers, body))
        answer = b'{"items": [{"index": {"_id": "1", "status": 201}}], "errors": false}'
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_PUT = do_POST  # noqa: N815 - the base class's names

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[tuple[str, list[Any]]]:
    """A server, which stands for AWS', and what it was sent."""
    seen: list[Any] = []
    handler = type("Handler", (Recording,), {"seen": seen})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}", seen
        listening.shutdown()


def test_the_algorithm_written_by_hand_gives_the_published_signature() -> None:
    """AWS' own example: IAM's ListUsers on 30 August 2015."""
    headers = {
        "content-type": "application/x-www-form-urlencoded; charset=utf-8",
        "host": "iam.amazonaws.com",
        "x-amz-date": "20150830T123600Z",
    }
    url = "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08"
    made = signature("GET", url, headers, b"", secret=SECRET, region="us-east-1", service="iam")
    assert made == "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"


@pytest.mark.parametrize("token", [None, TOKEN], ids=["key", "session"])
@pytest.mark.parametrize("service", ["es", "aoss"])
def test_what_arrives_is_signed(
    service: str, token: str | None, account: pytest.MonkeyPatch, server: tuple[str, list[Any]]
) -> None:
    url, seen = server
    if token:
        account.setenv("AWS_SESSION_TOKEN", token)
    client = connect(url, aws=service)
    client.search(index="articles,other*", body={"query": {"match": {"text": "naïve café"}}}, request_cache="true")
    client.get(index="lsr-token-weights", id="a/b c+d", _source_includes=["weights", "vocab_size"])
    list(helpers.streaming_bulk(client, [{"_index": "articles", "_id": "1", "text": "…"}]))
    client.indices.get_mapping(index="articles")
    assert [method for method, *_ in seen] == ["POST", "GET", "POST", "GET"]
    for method, path, headers, body in seen:
        found = AUTHORIZATION.fullmatch(headers["authorization"])
        assert found
        assert (found["key"], found["region"], found["service"]) == (KEY, "eu-west-1", service)
        signed = {name: headers[name] for name in found["signed"].split(";")}
        assert {"host", "x-amz-date", "x-amz-content-sha256"} <= signed.keys()
        assert signed.get("x-amz-security-token") == token
        by_hand = {"secret": SECRET, "region": "eu-west-1", "service": service}
        assert found["signature"] == signature(method, url + path, signed, body, **by_hand)
        assert found["signature"] != signature(method, url + path, signed, body + b" ", **by_hand)
        assert SECRET not in str(headers)


@pytest.mark.parametrize(
    ("service", "recorded"),
    [
        ("es", "2d24b1a4873641b0a0dbe2a6d1d9e32f00c7318b19a846b079b0e349e867bb5d"),
        ("aoss", "e98f70e94d59bd18451135e206906eef5d302bbaef748de9f8451b2f966bc054"),
    ],
)
def test_a_request_at_a_fixed_time_has_the_recorded_signature(
    service: str, recorded: str, account: pytest.MonkeyPatch
) -> None:
    moment = datetime.datetime(2015, 8, 30, 12, 36, tzinfo=datetime.UTC)
    account.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: moment)
    host = "search.example.org"
    client = connect(f"https://{host}", aws=service)
    body = b'{"query":{"match_all":{}}}'
    sign = client.transport.get_connection().http_auth
    headers = sign("POST", f"https://{host}:443/articles/_search?size=10", body)
    found = AUTHORIZATION.fullmatch(headers["Authorization"])
    assert found
    assert found["signature"] == recorded
    signed = {"host": host} | {n.lower(): v for n, v in headers.items() if n.lower().startswith("x-amz-")}
    assert sorted(signed) == found["signed"].split(";")
    url = f"https://{host}/articles/_search?size=10"
    assert signature("POST", url, signed, body, secret=SECRET, region="eu-west-1", service=service) == recorded


def test_what_is_missing_is_one_line(account: pytest.MonkeyPatch) -> None:
    url = "https://search.example.org"
    with pytest.raises(InputError, match="signed for AWS or carry a login, not both"):
        connect(url, username="me", password="secret", aws="es")
    with pytest.raises(InputError, match="AWS service 'ec2': it is es .* or aoss"):
        connect(url, aws="ec2")
    account.delenv("AWS_REGION")
    with pytest.raises(InputError, match="no AWS region: set AWS_REGION"):
        connect(url, aws="es")
    account.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    connect(url, aws="es")
    account.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(InputError, match="no AWS credentials found") as refusal:
        connect(url, aws="es")
    account.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(InputError, match=r"AWS credentials: .*nobody"):
        connect(url, aws="es")
    assert SECRET not in str(refusal.value)


def test_without_the_extra_its_name_is_told() -> None:
    code = (
        "import sys; sys.modules['botocore'] = None\n"
        "sys.argv = ['x', 'status', '--alias', 'a', '--url', 'https://search.example.org', '--aws', 'es']\n"
        "from opensearch_lsr.cli.main import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: signing requests for AWS needs botocore.exceptions, which is not installed: "
        "pip install 'opensearch-lsr[aws]'"
    ]
