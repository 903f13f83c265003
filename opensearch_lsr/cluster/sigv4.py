"""Requests to Amazon OpenSearch Service and Serverless, signed (AWS Signature Version 4).

Credentials are found as the AWS tools find them: environment, shared files and profiles, the instance's or task's role.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from opensearchpy import Urllib3AWSV4SignerAuth

from opensearch_lsr.errors import InputError, needs_extra

SERVICES = ("es", "aoss")  # OpenSearch Service, OpenSearch Serverless


def signer(service: str) -> Callable[..., Any]:
    """What signs each request of a client.

    Args:
        service: ``es`` or ``aoss``.

    Raises:
        InputError: for another service, and where AWS' own search finds no credentials or no region.
        MissingExtraError: when the ``aws`` extra is not installed.
    """
    if service not in SERVICES:
        raise InputError(f"AWS service {service!r}: it is es (OpenSearch Service) or aoss (Serverless)")
    with needs_extra("aws", "signing requests for AWS"):
        from botocore.exceptions import BotoCoreError
        from botocore.session import get_session
    session = get_session()
    try:
        credentials = session.get_credentials()
        if credentials:
            credentials.get_frozen_credentials()  # fetched now: an expired login is told here, not by a request
        region = os.environ.get("AWS_REGION") or session.get_config_variable("region")
    except BotoCoreError as error:
        raise InputError(f"AWS credentials: {' '.join(str(error).split())[:300]}") from error
    if not credentials:
        raise InputError("no AWS credentials found; log in with the AWS tools, or set AWS_ACCESS_KEY_ID and its secret")
    if not region:
        raise InputError("no AWS region: set AWS_REGION to the one the cluster is in")
    return Urllib3AWSV4SignerAuth(credentials, region, service)
