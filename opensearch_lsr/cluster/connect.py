"""A client for a cluster, and its faults as one line each."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from opensearchpy import OpenSearch, Urllib3HttpConnection
from opensearchpy.exceptions import (
    AuthenticationException,
    AuthorizationException,
    ConnectionError,
    ConnectionTimeout,
    OpenSearchException,
    SSLError,
    TransportError,
)

from opensearch_lsr.cluster.sigv4 import signer
from opensearch_lsr.cluster.transport import PATIENCE, PatientTransport
from opensearch_lsr.errors import ClusterError, InputError


def connect(
    url: str,
    *,
    username: str | None = None,
    password: str | None = None,
    ca_certs: Path | None = None,
    insecure: bool = False,
    aws: str | None = None,
    timeout: float = 60,
    patience: float = PATIENCE,
) -> OpenSearch:
    """Make a client; nothing is sent yet.

    Args:
        url: ``http(s)://host:port``.
        username: for basic authentication, with ``password``.
        password: never part of the URL, so that it is in no log.
        ca_certs: PEM file of a private certificate authority.
        insecure: accept any certificate.
        aws: sign requests instead, see :func:`opensearch_lsr.cluster.sigv4.signer`.
        timeout: seconds for one request.
        patience: seconds for which a request is sent again, see :mod:`opensearch_lsr.cluster.transport`; 0: never.

    Raises:
        InputError: for a URL that is none, or that carries a password; with ``aws``, for a login beside it and where
            there are no credentials.
        MissingExtraError: with ``aws``, when that extra is not installed.
    """
    if "@" in url:  # not repeated in the message: what stands before the @ may be a password
        raise InputError("the URL carries a user name or a password; set OPENSEARCH_USERNAME and OPENSEARCH_PASSWORD")
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        valid = valid and not (parts.query or parts.fragment)
    except ValueError:
        valid = False
    if not valid:
        raise InputError(f"url {re.split('[?#]', url)[0]!r}: give http://host:port or https://host:port, no more")
    if ca_certs is not None and not ca_certs.is_file():
        raise InputError(f"{ca_certs}: no such file (--ca-certs)")
    if aws and username:
        raise InputError("requests are signed for AWS or carry a login, not both: unset OPENSEARCH_USERNAME, or --aws")
    login = (username, password or "") if username else None
    return OpenSearch(
        hosts=[url],
        connection_class=_Connection,
        http_auth=signer(aws) if aws else login,
        ca_certs=str(ca_certs) if ca_certs else None,
        verify_certs=not insecure,
        ssl_assert_hostname=False if insecure else None,  # None: as the URL says; True is taken for a name
        ssl_show_warn=not insecure,
        timeout=timeout,
        transport_class=PatientTransport,
        patience=patience,
        pool_maxsize=8,
    )


class _Connection(Urllib3HttpConnection):
    """Asks again by GET where a HEAD is refused: only that answer has a body, which names the permission."""

    def perform_request(self, method: str, url: str, *arguments: Any, **options: Any) -> Any:
        try:
            return super().perform_request(method, url, *arguments, **options)
        except AuthorizationException:
            if method == "HEAD":
                super().perform_request("GET", url, *arguments, **options)
            raise


@contextmanager
def readable_errors(url: str) -> Iterator[None]:
    """Turn opensearch-py's exceptions into one line that names the cluster and the remedy.

    Raises:
        ClusterError: for whatever the client raised inside the block.
    """
    try:
        yield
    except AuthenticationException as error:
        raise ClusterError(
            f"{url}: user name or password refused (401); set OPENSEARCH_USERNAME and OPENSEARCH_PASSWORD"
        ) from error
    except AuthorizationException as error:
        raise ClusterError(f"{url}: not permitted (403): {_refusal(error)}") from error
    except SSLError as error:
        raise ClusterError(
            f"{url}: TLS failed ({reason(error)}); give the cluster's own authority with --ca-certs FILE"
        ) from error
    except ConnectionTimeout as error:
        raise ClusterError(f"{url}: no answer in time ({reason(error)})") from error
    except ConnectionError as error:
        if tried := _notes(error):
            raise ClusterError(f"{url}: the cluster stopped answering{tried}; run it again when it is up") from error
        if url.startswith("http:") and "aborted" in reason(error):
            raise ClusterError(f"{url}: closes the connection; with TLS its URL begins with https://") from error
        raise ClusterError(
            f"{url}: cannot be reached; is it up? `opensearch-lsr cluster up` starts one; OPENSEARCH_URL names another"
        ) from error
    except OpenSearchException as error:
        raise ClusterError(f"{url}: {reason(error)}") from error


def _refusal(error: TransportError) -> str:
    """Which permission the security plugin misses, and whose it is to give."""
    found = re.search(r"no permissions for \[(.+)\] and User \[name=([^,\]]+)", reason(error))
    if found:
        return f"{found[2]} lacks the permission {found[1]}; the roles in pipelines/roles have what each task needs"
    return reason(error)


def reason(error: Exception) -> str:
    """The innermost reason a server gave, in one line."""
    if not isinstance(error, TransportError):
        return " ".join(str(error).split())[:500]
    info: Any = error.info
    if isinstance(info, dict):
        cause = info.get("error", info)
        while isinstance(cause, dict):
            inner = cause.get("caused_by") or next(iter(cause.get("root_cause") or []), None)
            if not isinstance(inner, dict) or inner.get("reason") in (None, cause.get("reason")):
                break
            cause = inner
        info = cause.get("reason") or cause if isinstance(cause, dict) else cause
    text = json.dumps(info, default=str) if isinstance(info, dict | list) else str(info)
    status = error.status_code if isinstance(error.status_code, int) else ""  # without an answer there is none
    return " ".join(f"{status} {text}".split())[:500] + _notes(error)


def _notes(error: Exception) -> str:
    """How often it was tried, where it was."""
    return "".join(f" ({note})" for note in getattr(error, "__notes__", ()))
