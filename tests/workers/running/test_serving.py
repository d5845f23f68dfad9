"""How requests come in: whose word on where they come from is taken."""

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from adapters.settings import Settings
from api.edge.protocol import bounded_protocol
from workers.running.serving import server_config

GATEWAY = "192.0.2.1"


async def caller(scope: Scope, receive: Receive, send: Send) -> None:
    client = Request(scope).client
    assert client is not None
    await PlainTextResponse(client.host)(scope, receive, send)


@pytest.mark.parametrize(
    ("trusted", "peer", "told"),
    [
        (None, "127.0.0.1", "127.0.0.1"),
        (None, GATEWAY, GATEWAY),
        (GATEWAY, GATEWAY, "203.0.113.9"),
        (GATEWAY, "127.0.0.1", "127.0.0.1"),
    ],
)
async def test_only_gateways_that_were_named_tell_where_a_request_comes_from(
    monkeypatch: pytest.MonkeyPatch, trusted: str | None, peer: str, told: str
) -> None:
    monkeypatch.delenv("FORWARDED_ALLOW_IPS", raising=False)
    if trusted is not None:
        monkeypatch.setenv("FORWARDED_ALLOW_IPS", trusted)
    config = server_config(caller, bounded_protocol(Settings.model_construct()), 75)
    config.load()
    transport = httpx2.ASGITransport(config.loaded_app, client=(peer, 1))
    async with httpx2.AsyncClient(transport=transport, base_url="http://rollbook.test") as client:
        answer = await client.get("/", headers={"X-Forwarded-For": "203.0.113.9"})
    assert answer.text == told
