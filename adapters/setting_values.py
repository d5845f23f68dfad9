"""Parsers and checks of single settings. Their errors never quote the value, which may be a secret."""

import base64
import binascii
import re
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from psycopg.conninfo import conninfo_to_dict
from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode

MASTER_KEY_BYTES = 32
PEM = re.compile(r"-----BEGIN [^-]+-----.*?-----END [^-]+-----", re.DOTALL)
MIN_SERVICE_TOKEN = 24
"""Characters of a service account's token (ruling O14)."""


class ServiceAccount(NamedTuple):
    """An application that may call the API, with one of its valid tokens."""

    namespace: str
    name: str
    token: SecretStr


class SmtpServer(NamedTuple):
    """The e-mail server. STARTTLS is required, disabled or used if offered: `start_tls` is True, False or None."""

    host: str
    port: int
    username: str | None
    password: SecretStr | None
    implicit_tls: bool
    start_tls: bool | None

    @property
    def loopback(self) -> bool:
        """Whether the server runs on this machine, for which no certificate can be checked."""
        return is_loopback(self.host)


class Argon2Parameters(NamedTuple):
    """The cost of a password hash: rounds, KiB of memory, lanes."""

    time: int
    memory: int
    lanes: int


def parse_service_accounts(text: object) -> object:
    """Return the accounts in `namespace/name:token,…`, split at commas, then at the first colon (ruling C6)."""
    if not isinstance(text, str):
        return text
    accounts = []
    for number, entry in enumerate((part.strip() for part in text.split(",")), start=1):
        if not entry:
            continue
        account, colon, token = entry.partition(":")
        namespace, slash, name = account.partition("/")
        if not (colon and slash and namespace and name and token) or "/" in name:
            raise ValueError(f"entry {number} is not namespace/name:token")
        if len(token) < MIN_SERVICE_TOKEN:
            raise ValueError(f"the token of entry {number} is shorter than {MIN_SERVICE_TOKEN} characters")
        accounts.append(ServiceAccount(namespace, name, SecretStr(token)))
    return tuple(accounts)


def require_unambiguous(accounts: tuple[ServiceAccount, ...]) -> tuple[ServiceAccount, ...]:
    """Raise ValueError if two namespaces share a name (`app.<name>` has no namespace), or if two names share a token.

    Otherwise return the accounts.
    """
    namespaces: dict[str, str] = {}
    names: dict[SecretStr, str] = {}
    for account in accounts:
        if namespaces.setdefault(account.name, account.namespace) != account.namespace:
            raise ValueError(f"the name {account.name} is in two namespaces")
        if names.setdefault(account.token, account.name) != account.name:
            raise ValueError(f"{names[account.token]} and {account.name} have the same token")
    return accounts


def parse_services(text: object) -> object:
    """Return the addresses by name in `name=url,…`, split at commas, then at the first equals sign (ruling K15)."""
    if not isinstance(text, str):
        return text
    services: dict[str, str] = {}
    for number, entry in enumerate((part.strip() for part in text.split(",")), start=1):
        name, _, url = (part.strip() for part in entry.partition("="))
        if not re.fullmatch(r"[a-z0-9-]{1,32}", name) or not _is_base_url(url):
            raise ValueError(f"entry {number} is not name=http(s)://host/path without a query")
        if name in services:
            raise ValueError(f"entry {number} has the name of an earlier one")
        services[name] = url.rstrip("/")
    return services


def _is_base_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    plain = re.fullmatch(r"https?://[^\s@?#\\]+", url) is not None
    return plain and bool(parts.hostname) and port != 0


def parse_argon2_parameters(text: object) -> object:
    """Return the parameters in `time,memory-KiB,lanes`."""
    if not isinstance(text, str):
        return text
    parts = text.split(",")
    if len(parts) != 3 or not all(part.strip().isdecimal() for part in parts):
        raise ValueError("must be time,memory-KiB,lanes, for example 2,19456,1")
    parameters = Argon2Parameters(*(int(part) for part in parts))
    if min(parameters.time, parameters.lanes) < 1 or parameters.memory < 8 * parameters.lanes:
        raise ValueError("needs at least one round, one lane, and 8 KiB for each lane")
    return parameters


def is_loopback(host: str) -> bool:
    """Return whether the host is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def connectable_host(host: str) -> str:
    """Return how a URL names the host that a server listens on; this machine if it listens on every interface."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if address.is_unspecified:
        return "localhost"
    return f"[{host}]" if address.version == 6 else host


def parse_smtp_server(url: object) -> object:
    """Return the server in `smtp://[user:password@]host[:port][?tls=none]` or `smtps://…` (ruling K13)."""
    if not isinstance(url, str):
        return url
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("is not a URL") from None
    tls = dict(parse_qsl(parts.query, keep_blank_values=True))
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname or parts.path.strip("/") or tls not in ({}, NO_TLS):
        raise ValueError("must be smtp://[user:password@]host:port or smtps://…; smtp may end with ?tls=none")
    implicit = parts.scheme == "smtps"
    start_tls = False if implicit or tls else None if is_loopback(parts.hostname) else True
    username, password = (None if text is None else unquote(text) for text in (parts.username, parts.password))
    secret = None if password is None else SecretStr(password)
    return SmtpServer(parts.hostname, port or (465 if implicit else 587), username, secret, implicit, start_tls)


def signing_secret(text: SecretStr) -> bytes:
    """Return the bytes in `whsec_<base64>`. Raises ValueError for any other text."""
    prefix, _, encoded = text.get_secret_value().partition("_")
    try:
        secret = base64.b64decode(encoded, validate=True) if prefix == "whsec" else b""
    except binascii.Error:
        secret = b""
    if not secret:
        raise ValueError("must be whsec_ and the secret in base64")
    return secret


def require_signing_secret(text: SecretStr | None) -> SecretStr | None:
    """Raise ValueError unless the text is `whsec_<base64>`; return it."""
    if text is not None:
        signing_secret(text)
    return text


def require_http_url(url: SecretStr | None) -> SecretStr | None:
    """Raise ValueError, without quoting the URL, unless it is an http or https URL; return it."""
    if url is not None and not re.fullmatch(r"https?://[^/\s]+\S*", url.get_secret_value()):
        raise ValueError("must begin with http:// or https://")
    return url


def require_master_key(key: SecretStr | None) -> SecretStr | None:
    """Raise ValueError unless the key is 32 bytes in base64; return it."""
    if key is None:
        return None
    try:
        decoded = base64.b64decode(key.get_secret_value(), validate=True)
    except binascii.Error:
        decoded = b""
    if len(decoded) != MASTER_KEY_BYTES:
        raise ValueError(f"must be {MASTER_KEY_BYTES} bytes in base64: openssl rand -base64 {MASTER_KEY_BYTES}")
    return key


def require_signing_keys(keys: SecretStr | None) -> SecretStr | None:
    """Raise ValueError unless there are one or several Ed25519 private keys; return them with line ends restored."""
    if keys is None:
        return None
    text = keys.get_secret_value().replace("\\n", "\n")
    parse_signing_keys(text)
    return SecretStr(text)


def parse_signing_keys(text: str) -> list[Ed25519PrivateKey]:
    """Return the private keys that the text has in PEM. Raises ValueError for none, and for one of another kind."""
    blocks = PEM.findall(text)
    keys = []
    for block in blocks:
        try:
            loaded = load_pem_private_key(block.encode(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            loaded = None
        if isinstance(loaded, Ed25519PrivateKey):
            keys.append(loaded)
    if not keys or len(keys) < len(blocks):
        raise ValueError("must be Ed25519 private keys in PEM: openssl genpkey -algorithm ed25519")
    return keys


def require_connection_string(dsn: SecretStr | None) -> SecretStr | None:
    """Raise ValueError, without quoting the string, unless libpq can parse it; return it."""
    if dsn is not None:
        try:
            conninfo_to_dict(dsn.get_secret_value())
        except Exception:  # noqa: BLE001 - the error of libpq quotes the string
            raise ValueError("is not a PostgreSQL connection string") from None
    return dsn


def require_redis_url(url: SecretStr | None) -> SecretStr | None:
    """Raise ValueError, without quoting the URL, unless it has a scheme of Redis clients; return it."""
    if url is not None and not url.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("must begin with redis://, rediss:// or unix://")
    return url


NO_TLS = {"tls": "none"}

Folder = Annotated[Path, AfterValidator(Path.absolute)]
Dsn = Annotated[SecretStr | None, AfterValidator(require_connection_string)]
RedisUrl = Annotated[SecretStr | None, AfterValidator(require_redis_url)]
MasterKey = Annotated[SecretStr | None, AfterValidator(require_master_key)]
Smtp = Annotated[SmtpServer | None, NoDecode, BeforeValidator(parse_smtp_server)]
SecretUrl = Annotated[SecretStr | None, AfterValidator(require_http_url)]
WebhookSecret = Annotated[SecretStr | None, AfterValidator(require_signing_secret)]
SigningKeys = Annotated[SecretStr | None, AfterValidator(require_signing_keys)]
Argon2 = Annotated[Argon2Parameters, NoDecode, BeforeValidator(parse_argon2_parameters)]
Services = Annotated[Mapping[str, str], NoDecode, BeforeValidator(parse_services)]
ServiceAccounts = Annotated[
    tuple[ServiceAccount, ...],
    NoDecode,
    BeforeValidator(parse_service_accounts),
    AfterValidator(require_unambiguous),
]
