"""A client for a cluster, and its faults as one line each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from opensearchpy import OpenSearch
from opensearchpy.exceptions import (
    AuthenticationException,
    AuthorizationException,
    ConnectionError,
    ConnectionTimeout,
    OpenSearchException,
    SSLError,
    TransportError,
)

from opensearch_lsr.errors import ClusterError, InputError


def connect(
    url: str,
    *,
    username: str | None = None,
    password: str | None = None,
    ca_certs: Path | None = None,
    insecure: bool = False,
    timeout: float = 60,
) -> OpenSearch:
    """Make a client; nothing is sent yet.

    Args:
        url: ``http(s)://host:port``.
        username: for basic authentication, with ``password``.
        password: never part of the URL, so that it is in no log.
        ca_certs: PEM file of a private certificate authority.
        insecure: accept any certificate.
        timeout: seconds for one request.

    Raises:
        InputError: for a URL that is none, or that carries a password.
    """
    if "@" in url:  # not repeated in the message: what stands before the @ may be a password
        raise InputError("the URL carries a user name or a password; set OPENSEARCH_USERNAME and OPENSEARCH_PASSWORD")
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise InputError(f"url {url!r}: give http://host:port or https://host:port")
    if ca_certs is not None and not ca_certs.is_file():
        raise InputError(f"{ca_certs}: no such file (--ca-certs)")
    return OpenSearch(
        hosts=[url],
        http_auth=(username, password or "") if username else None,
        ca_certs=str(ca_certs) if ca_certs else None,
        verify_certs=not insecure,
        ssl_assert_hostname=not insecure,
        ssl_show_warn=not insecure,
        timeout=timeout,
        max_retries=3,
        retry_on_timeout=False,
        pool_maxsize=8,
    )


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
        raise ClusterError(f"{url}: not permitted (403): {reason(error)}") from error
    except SSLError as error:
        raise ClusterError(f"{url}: TLS failed ({reason(error)}); give the authority with --ca-certs FILE") from error
    except ConnectionTimeout as error:
        raise ClusterError(f"{url}: no answer in time ({reason(error)})") from error
    except ConnectionError as error:
        raise ClusterError(
            f"{url}: cannot be reached; is it up? `opensearch-lsr cluster up` starts one; OPENSEARCH_URL names another"
        ) from error
    except OpenSearchException as error:
        raise ClusterError(f"{url}: {reason(error)}") from error


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
    text = info if isinstance(info, str) else json.dumps(info, default=str)
    return " ".join(f"{error.status_code} {text}".split())[:500]
