"""Servers on loopback that messages are handed over to: SMTP by aiosmtpd, a provider of text messages by HTTP."""

import asyncio
import contextlib
import json
import ssl
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.support.http_servers import Quiet, an_http_server


@dataclass
class MailServer:
    """What it took. `answers` are given to messages in turn, then 250, each once `answering` is set."""

    url: str = ""
    answers: list[str] = field(default_factory=list)
    mails: list[EmailMessage] = field(default_factory=list)
    envelopes: list[Envelope] = field(default_factory=list)
    logins: list[bytes] = field(default_factory=list)
    encrypted: list[bool] = field(default_factory=list)
    answering: asyncio.Event = field(default_factory=asyncio.Event)
    taking: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.answering.set()

    async def handle_DATA(self, _: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            mail = message_from_bytes(envelope.content.replace(b"\r\n", b"\n"), policy=policy.default)
            assert isinstance(mail, EmailMessage)
            self.mails.append(mail)
            self.envelopes.append(envelope)
            self.encrypted.append(session.ssl is not None)
        self.taking.set()
        await self.answering.wait()
        return answer

    def authenticate(self, *arguments: Any) -> AuthResult:
        given = arguments[-1]
        assert isinstance(given, LoginPassword)
        self.logins.append(given.password)
        return AuthResult(success=True)


@contextlib.asynccontextmanager
async def a_mail_server(*answers: str, encrypted: bool = False, smtputf8: bool = False) -> AsyncIterator[MailServer]:
    """`encrypted` offers STARTTLS and refuses mail and logins without it. `smtputf8` takes addresses beyond ASCII."""
    taken = MailServer(answers=list(answers))
    context = a_tls_context() if encrypted else None

    def connected() -> SMTP:
        return SMTP(
            taken,
            authenticator=taken.authenticate,
            auth_require_tls=encrypted,
            enable_SMTPUTF8=smtputf8,
            hostname="mail.test",
            tls_context=context,
            require_starttls=encrypted,
        )

    server = await asyncio.get_running_loop().create_server(connected, "127.0.0.1", 0)
    try:
        taken.url = f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield taken
    finally:
        server.close()


def a_tls_context() -> ssl.SSLContext:
    """Return a server's context with a certificate that it has signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(certificate.public_bytes(Encoding.PEM))
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        file.flush()
        context.load_cert_chain(file.name)
    return context


@dataclass
class TextProvider:
    """What was posted: bodies as bytes and headers. `answers` are statuses given in turn, then 200."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def texts(self) -> list[Any]:
        return [json.loads(body) for body in self.bodies]


@contextlib.contextmanager
def a_text_provider(*answers: int) -> Iterator[TextProvider]:
    taken = TextProvider(answers=list(answers))

    class Handler(Quiet, BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            taken.headers.append({name.lower(): value for name, value in self.headers.items()})
            status = taken.answers.pop(0) if taken.answers else 200
            self.send_response(status)
            if status == 302:
                self.send_header("Location", taken.url)
            self.end_headers()

    with an_http_server(Handler) as url:
        taken.url = f"{url}/messages"
        yield taken
