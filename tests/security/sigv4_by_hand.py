"""AWS Signature Version 4, written from AWS' description of it and independent of any library.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, urlsplit


def signature(
    method: str, url: str, headers: Mapping[str, str], body: bytes, *, secret: str, region: str, service: str
) -> str:
    """The signature of a request, in hex.

    Args:
        method: such as ``GET``.
        url: with its path as it is sent.
        headers: those that are signed, ``host`` and ``x-amz-date`` among them.
        body: what is sent.
        secret: the secret access key.
        region: such as ``eu-west-1``.
        service: such as ``es``.
    """
    parts = urlsplit(url)
    pairs = sorted((quote(key, "-_.~"), quote(value, "-_.~")) for key, value in parse_qsl(parts.query, True))
    signed = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
    canonical = "\n".join(
        [
            method,
            quote(parts.path or "/", "/-_.~"),  # encoded once more than it is sent, everywhere but for S3
            "&".join(f"{key}={value}" for key, value in pairs),
            *(f"{name}:{signed[name]}" for name in sorted(signed)),
            "",
            ";".join(sorted(signed)),
            hashlib.sha256(body).hexdigest(),
        ]
    )
    date = signed["x-amz-date"]
    scope = [date[:8], region, service, "aws4_request"]
    to_sign = "\n".join(["AWS4-HMAC-SHA256", date, "/".join(scope), hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{secret}".encode()
    for part in [*scope, to_sign]:
        key = hmac.digest(key, part.encode(), "sha256")
    return key.hex()
