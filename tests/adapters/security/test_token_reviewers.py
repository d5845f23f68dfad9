"""Who a service account's token belongs to."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from adapters.security.token_reviewers import KubernetesReviewer, SettingReviewer
from adapters.setting_values import ServiceAccount
from domain.sessions.service_accounts import ServiceName

DROW = ServiceName("care", "drow")
SETTING = SettingReviewer(
    [
        ServiceAccount("care", "drow", SecretStr("one")),
        ServiceAccount("care", "drow", SecretStr("two")),
        ServiceAccount("care", "sked", SecretStr("three")),
    ]
)


def sha512(token: str) -> str:
    return hashlib.sha512(token.encode()).hexdigest()


class Cluster:
    """Answers every review with `status`, and keeps what it was asked."""

    def __init__(self, status: Any) -> None:
        self.status = status
        self.code = "200 OK"
        self.asked: list[tuple[str, Any]] = []
        self.url = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.split("content-length: ")[1].split("\r\n")[0])
        self.asked.append((head, json.loads(await reader.readexactly(length))))
        body = self.status if isinstance(self.status, bytes) else json.dumps({"status": self.status}).encode()
        writer.write(
            f"HTTP/1.1 {self.code}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body
        )
        await writer.drain()
        writer.close()


@asynccontextmanager
async def a_cluster(status: Any) -> AsyncIterator[Cluster]:
    cluster = Cluster(status)
    async with await asyncio.start_server(cluster.answer, "127.0.0.1", 0) as server:
        cluster.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield cluster


def a_status(**changes: Any) -> dict[str, Any]:
    user = {"username": "system:serviceaccount:care:drow"}
    return {"authenticated": True, "user": user, "audiences": ["rollbook"], **changes}


def reviewer(cluster: Cluster, folder: Path) -> KubernetesReviewer:
    credential = folder / "token"
    credential.write_text("our-own\n")
    return KubernetesReviewer(cluster.url, "rollbook", credential, SETTING)


async def test_the_setting_knows_tokens_and_their_hashes() -> None:
    for token in ("one", "two"):
        assert await SETTING.by_token(token) == DROW
        assert await SETTING.by_hash(DROW, sha512(token)) == DROW
        assert await SETTING.by_hash(DROW, sha512(token).upper()) == DROW


@pytest.mark.parametrize("hashed", [sha512("three"), sha512("four"), "", "zz", sha512("one")[:-2], "é"])
async def test_other_hashes_authenticate_no_service(hashed: str) -> None:
    assert await SETTING.by_hash(DROW, hashed) is None


async def test_other_tokens_authenticate_no_service() -> None:
    for token in ("", "four", sha512("one"), "ONE"):
        assert await SETTING.by_token(token) is None


async def test_a_cluster_is_asked_with_our_credential_and_audience(tmp_path: Path) -> None:
    async with a_cluster(a_status()) as cluster:
        assert await reviewer(cluster, tmp_path).by_token("theirs") == DROW
        ((head, review),) = cluster.asked
        assert head.startswith("post /apis/authentication.k8s.io/v1/tokenreviews ")
        assert "authorization: bearer our-own\r\n" in head
        assert review["spec"] == {"token": "theirs", "audiences": ["rollbook"]}


@pytest.mark.parametrize(
    "status",
    [
        a_status(authenticated=False),
        a_status(authenticated="true"),
        a_status(audiences=["somebody-else"]),
        a_status(audiences=None),
        a_status(user={"username": "care:drow"}),
        a_status(user={"username": "system:serviceaccount:care"}),
        a_status(user=None),
        None,
        b"no json",
    ],
    ids=str,
)
async def test_a_token_that_the_cluster_does_not_confirm_is_refused(tmp_path: Path, status: Any) -> None:
    async with a_cluster(status) as cluster:
        assert await reviewer(cluster, tmp_path).by_token("theirs") is None


async def test_a_failing_cluster_authenticates_no_token(tmp_path: Path) -> None:
    async with a_cluster(a_status()) as cluster:
        cluster.code = "500 Internal Server Error"
        assert await reviewer(cluster, tmp_path).by_token("theirs") is None
        cluster.url = "http://127.0.0.1:1"
        assert await reviewer(cluster, tmp_path).by_token("theirs") is None


async def test_hashes_are_looked_up_in_the_setting_beside_a_cluster(tmp_path: Path) -> None:
    async with a_cluster(a_status()) as cluster:
        assert await reviewer(cluster, tmp_path).by_hash(DROW, sha512("one")) == DROW
        assert cluster.asked == []
