"""Text messages over HTTP, to a provider on loopback (rulings K14, K40 and K43)."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import time

import pytest
from pydantic import SecretStr

from adapters.outbound.sms import TextSender
from domain.core.messages import DeliveryFailed, MessageRefused
from tests.adapters.outbound.messages import SMS
from tests.support.message_servers import a_text_provider

SECRET = b"a secret of the provider"
SETTING = SecretStr(f"whsec_{base64.b64encode(SECRET).decode()}")


async def test_a_text_message_is_posted_and_signed() -> None:
    with a_text_provider() as provider:
        await TextSender(provider.url, SETTING, "+12125550100").send(SMS)
    assert provider.texts == [{"id": str(SMS.id), "to": SMS.to, "from": "+12125550100", "text": SMS.text}]
    (headers,) = provider.headers
    sent_at = headers["webhook-timestamp"]
    signed = f"{SMS.id}.{sent_at}.".encode() + provider.bodies[0]
    assert headers["webhook-id"] == str(SMS.id)
    assert abs(time.time() - int(sent_at)) < 5
    digest = base64.b64encode(hmac.new(SECRET, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{digest}"


async def test_without_a_secret_nothing_is_signed() -> None:
    with a_text_provider() as provider:
        await TextSender(provider.url, None, None).send(SMS)
    assert "webhook-signature" not in provider.headers[0]


@pytest.mark.parametrize(
    ("status", "error"),
    [(408, DeliveryFailed), (429, DeliveryFailed), (503, DeliveryFailed), (302, MessageRefused), (400, MessageRefused)],
)
async def test_the_status_decides_about_a_retry(status: int, error: type[DeliveryFailed]) -> None:
    with a_text_provider(status) as provider, pytest.raises(DeliveryFailed) as raised:
        await TextSender(provider.url, None, None).send(SMS)
    assert (type(raised.value), raised.value.reason) == (error, f"http-{status}")
    assert len(provider.bodies) == 1  # no redirect is followed


async def test_a_provider_that_is_away_is_tried_again() -> None:
    with a_text_provider() as provider:
        pass
    with pytest.raises(DeliveryFailed) as raised:
        await TextSender(provider.url, None, None).send(SMS)
    assert (type(raised.value), raised.value.reason) == (DeliveryFailed, "http-ConnectError")


async def test_a_post_as_a_whole_has_a_time_limit() -> None:
    """Ruling K40: a provider that keeps sending a little of its answer does not occupy the worker."""
    ended = asyncio.Event()

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while not ended.is_set():
            writer.write(b"x")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), 0.05)
        writer.close()

    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        with pytest.raises(DeliveryFailed) as raised:
            await TextSender(url, None, None, seconds=0.2).send(SMS)
        ended.set()
    assert (type(raised.value), raised.value.reason) == (DeliveryFailed, "http-TimeoutError")
