"""TLS by a private authority: whoever else answers is not spoken to, and no password is sent to them."""

from __future__ import annotations

from pathlib import Path

import pytest
from secured_cluster import Secured

from opensearch_lsr.local import java
from opensearch_lsr.local import secured as secured_module
from opensearch_lsr.local.home import home

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
ASK = ("status", "--alias", "nothing")


@pytest.fixture(scope="module")
def other_authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("authority")
    secured_module._certificates(folder, java.find(home()))
    return folder / "ca.pem"


def test_the_right_authority(secured: Secured, tmp_path: Path) -> None:
    assert secured.client().info()["version"]["number"] == "2.19.1"
    assert "nothing: no such alias" in secured.refused("admin", *ASK, cwd=tmp_path)
    by_name = secured.url.replace("127.0.0.1", "localhost")
    assert "nothing: no such alias" in secured.refused("admin", *ASK, "--url", by_name, cwd=tmp_path)


def test_another_authority_is_refused(secured: Secured, other_authority: Path, tmp_path: Path) -> None:
    for environment in ({"OPENSEARCH_CA_CERTS": str(other_authority)}, {"OPENSEARCH_CA_CERTS": ""}):
        message = secured.refused("admin", *ASK, cwd=tmp_path, **environment)
        assert f"{secured.url}: TLS failed ([SSL: CERTIFICATE_VERIFY_FAILED]" in message
        assert message.endswith("give the cluster's own authority with --ca-certs FILE")


def test_the_right_authority_with_another_name(secured: Secured, tmp_path: Path) -> None:
    """``127.1`` is the same address, but no name that the certificate is for."""
    url = secured.url.replace("127.0.0.1", "127.1")
    message = secured.refused("admin", *ASK, "--url", url, cwd=tmp_path)
    assert "TLS failed" in message and "127.1" in message.partition("TLS failed")[2]


def test_a_file_that_holds_no_authority(secured: Secured, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    assert "TLS failed" in secured.refused("admin", *ASK, "--ca-certs", "empty.pem", cwd=tmp_path)
    missing = secured.refused("admin", *ASK, "--ca-certs", "none.pem", cwd=tmp_path)
    assert missing == "error: none.pem: no such file (--ca-certs)"


def test_insecure_works_and_warns(secured: Secured, tmp_path: Path) -> None:
    done = secured.run("admin", *ASK, "--insecure", cwd=tmp_path, OPENSEARCH_CA_CERTS="")
    warning, error = done.stderr.splitlines()
    assert warning == "warning: --insecure: whose cluster this is, is not checked"
    assert "nothing: no such alias" in error


def test_http_to_a_cluster_with_tls(secured: Secured, tmp_path: Path) -> None:
    url = secured.url.replace("https", "http")
    message = secured.refused("admin", *ASK, "--url", url, cwd=tmp_path)
    assert message == f"error: {url}: closes the connection; with TLS its URL begins with https://"


@pytest.mark.parametrize("environment", [{"OPENSEARCH_PASSWORD": "wrong"}, {"OPENSEARCH_USERNAME": ""}])
def test_a_wrong_login_or_none(secured: Secured, tmp_path: Path, environment: dict[str, str]) -> None:
    message = secured.refused("admin", *ASK, cwd=tmp_path, **environment)
    assert message == (
        f"error: {secured.url}: user name or password refused (401); set OPENSEARCH_USERNAME and OPENSEARCH_PASSWORD"
    )
