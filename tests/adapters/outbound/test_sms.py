"""Text messages over HTTP, to a provider on loopback."""

import base64
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
