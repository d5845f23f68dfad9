"""Computes TOTP codes by pyotp, and describes secrets to authenticator apps."""

import io
import secrets
from base64 import b32encode
from typing import NamedTuple
from urllib.parse import quote, urlencode

import pyotp
import segno

from domain.people.totp import STEP_SECONDS

SECRET_BYTES = 20
DIGITS = 6
PIXELS_PER_MODULE = 4


class PyotpCodes:
    """Implements `domain.people.totp.OneTimeCodes`."""

    def new_secret(self) -> str:
        return b32encode(secrets.token_bytes(SECRET_BYTES)).decode()

    def matches(self, secret: str, code: str, counter: int) -> bool:
        return pyotp.HOTP(secret, digits=DIGITS).verify(code, counter)


class QrCode(NamedTuple):
    """A square PNG image with its width in pixels."""

    png: bytes
    width: int


def provisioning_uri(secret: str, issuer: str, account: str) -> str:
    """Return the URI that authenticator apps read, with all parameters, as some apps assume other defaults."""
    parameters = {"secret": secret, "issuer": issuer, "algorithm": "SHA1", "digits": DIGITS, "period": STEP_SECONDS}
    return f"otpauth://totp/{quote(issuer)}:{quote(account)}?{urlencode(parameters, quote_via=quote)}"


def qr_code(text: str) -> QrCode:
    """Return the QR code of a text. This takes some 30 ms of processor time."""
    code = segno.make(text, micro=False, error="m")
    image = io.BytesIO()
    code.save(image, kind="png", scale=PIXELS_PER_MODULE)
    return QrCode(image.getvalue(), int(code.symbol_size(scale=PIXELS_PER_MODULE)[0]))
