"""Text messages through a provider's HTTP API, signed according to Standard Webhooks (rulings K40 and K43)."""

import asyncio
import base64
import hashlib
import hmac
import time

import httpx2
import orjson
from pydantic import SecretStr

from adapters.setting_values import signing_secret
from domain.core.messages import DeliveryFailed, Message, MessageRefused

SECONDS = 10.0
TRANSIENT = frozenset({408, 429})  # statuses below 500 after which a retry may succeed


class TextSender:
    """Posts each message to the provider. Implements `domain.core.messages.MessageSender`."""

    def __init__(self, url: str, secret: SecretStr | None, sender: str | None, *, seconds: float = SECONDS) -> None:
        """`secret` signs the posts, if given. `sender` is the number or name that messages are from.

        A post takes at most `seconds`, however slowly the provider answers.
        """
        self._url = url
        self._secret = None if secret is None else signing_secret(secret)
        self._sender = sender
        self._seconds = seconds

    async def send(self, message: Message) -> None:
        body = orjson.dumps({"id": message.id, "to": message.to, "from": self._sender, "text": message.text})
        headers = {"Content-Type": "application/json", **self._signed(str(message.id), body)}
        try:
            async with (
                asyncio.timeout(self._seconds),
                httpx2.AsyncClient(timeout=self._seconds, follow_redirects=False) as client,
            ):
                answer = await client.post(self._url, content=body, headers=headers)
        except (httpx2.HTTPError, TimeoutError) as error:
            raise DeliveryFailed(f"http-{type(error).__name__}") from None
        if not answer.is_success:
            lasting = answer.status_code < 500 and answer.status_code not in TRANSIENT
            raise (MessageRefused if lasting else DeliveryFailed)(f"http-{answer.status_code}")

    def _signed(self, message_id: str, body: bytes) -> dict[str, str]:
        sent_at = str(int(time.time()))
        headers = {"Webhook-Id": message_id, "Webhook-Timestamp": sent_at}
        if self._secret is None:
            return headers
        digest = hmac.new(self._secret, f"{message_id}.{sent_at}.".encode() + body, hashlib.sha256).digest()
        return headers | {"Webhook-Signature": f"v1,{base64.b64encode(digest).decode()}"}
