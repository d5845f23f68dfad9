"""Finds the service account of a token, by the setting or by a Kubernetes cluster."""

import hashlib
import hmac
import re
import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx2
import structlog

from adapters.setting_values import ServiceAccount
from domain.sessions.service_accounts import ServiceName

log = structlog.get_logger()

KUBERNETES_PREFIX = "system:serviceaccount:"
SECONDS = 5.0
HEX = re.compile("[0-9a-fA-F]{128}")
"""`bytes.fromhex` alone would accept blanks (ruling H5)."""


class SettingReviewer:
    """Looks tokens up in ROLLBOOK_SERVICE_ACCOUNTS (ruling H6). Implements `TokenReviewer`.

    Every known token is compared in constant time, so that the response time reveals nothing about them.
    """

    def __init__(self, accounts: Iterable[ServiceAccount]) -> None:
        self._hashes = [
            (
                ServiceName(account.namespace, account.name),
                hashlib.sha512(account.token.get_secret_value().encode()).digest(),
            )
            for account in accounts
        ]

    async def by_hash(self, account: ServiceName, sha512: str) -> ServiceName | None:
        given = bytes.fromhex(sha512) if HEX.fullmatch(sha512) else b""
        matches = [
            known for known, expected in self._hashes if hmac.compare_digest(expected, given) and known == account
        ]
        return account if matches else None

    async def by_token(self, token: str) -> ServiceName | None:
        given = hashlib.sha512(token.encode()).digest()
        matches = [known for known, expected in self._hashes if hmac.compare_digest(expected, given)]
        return matches[0] if matches else None


class KubernetesReviewer:
    """Sends tokens to the cluster's TokenReview API. Hashes of tokens are looked up in the setting.

    `credential` is the file with our own token. It is read for each review, because the cluster renews it.
    """

    def __init__(
        self, url: str, audience: str, credential: Path, setting: SettingReviewer, authority: Path | None = None
    ) -> None:
        self._url = f"{url.rstrip('/')}/apis/authentication.k8s.io/v1/tokenreviews"
        self._audience = audience
        self._credential = credential
        self._setting = setting
        self._tls: ssl.SSLContext | bool = True if authority is None else ssl.create_default_context(cafile=authority)

    async def by_hash(self, account: ServiceName, sha512: str) -> ServiceName | None:
        return await self._setting.by_hash(account, sha512)

    async def by_token(self, token: str) -> ServiceName | None:
        review = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [self._audience]},
        }
        try:
            credential = self._credential.read_text().strip()
            async with httpx2.AsyncClient(verify=self._tls, timeout=SECONDS) as client:
                answer = await client.post(self._url, json=review, headers={"Authorization": f"Bearer {credential}"})
                answer.raise_for_status()
                return _account(answer.json().get("status") or {}, self._audience)
        except (httpx2.HTTPError, OSError, ValueError, AttributeError) as error:
            log.warning("token-review-failed", reason=type(error).__name__)
            return None


def _account(status: dict[str, Any], audience: str) -> ServiceName | None:
    username = str((status.get("user") or {}).get("username") or "")
    if status.get("authenticated") is not True or audience not in (status.get("audiences") or []):
        return None
    namespace, colon, name = username.removeprefix(KUBERNETES_PREFIX).partition(":")
    return ServiceName(namespace, name) if username.startswith(KUBERNETES_PREFIX) and colon and name else None
