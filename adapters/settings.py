"""All settings. `adapters.environment` loads them."""

import base64
import os
from pathlib import Path
from typing import Annotated, Any, Literal

from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pydantic import BeforeValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from adapters.outbound.mailboxes import parse_mailbox
from adapters.postgres.session_settings import Purpose, session_dsn
from adapters.setting_values import (
    Argon2,
    Argon2Parameters,
    Dsn,
    Folder,
    MasterKey,
    RedisUrl,
    SecretUrl,
    ServiceAccounts,
    Services,
    SigningKeys,
    Smtp,
    WebhookSecret,
    connectable_host,
)
from domain.core.messages import Mailbox
from domain.people.verification_codes import CodeLifetimes

APPLICATION_ROLE = "rollbook_app"
"""The database role of API and workers. It owns nothing; `migrations/grants.py` grants its rights by name."""
PREFIX = "ROLLBOOK_"


MailFrom = Annotated[Mailbox, NoDecode, BeforeValidator(parse_mailbox)]


class InvalidSettingsError(Exception):
    """The environment is invalid. The text names each variable and its problem."""


def default_outbox(values: dict[str, Any]) -> Path | None:
    """Return the folder `outbox` in the data folder; none for a database of the operator's own (ruling K35)."""
    if values.get("database_url") is not None or values.get("app_database_url") is not None:
        return None
    return Path(values.get("data", "var")) / "outbox"


def _limit(default: int, counted: str) -> Any:
    return Field(default=default, ge=0, description=f"{counted} before 429; 0 disables this limit.")


class Settings(BaseSettings):
    """The settings. A variable is ROLLBOOK_ and the name of its field in capitals, unless the field has an alias."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True, populate_by_name=True,
        validate_default=True, hide_input_in_errors=True,
    )  # fmt: skip

    host: str = Field(default="127.0.0.1", description="Address the API listens on; 0.0.0.0 for every interface.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port the API listens on; 0 takes a free one.")
    data: Folder = Field(default=Path("var"), description="Folder of the embedded servers, the keys and the outbox.")
    database_url: Dsn = Field(
        default=None,
        validation_alias="DATABASE_URL",
        description="PostgreSQL, with its owner's login; embedded when absent.",
    )
    app_database_url: Dsn = Field(
        default=None,
        description="PostgreSQL, with the login of API and workers; derived when absent.",
    )
    outbox: Folder | None = Field(
        default_factory=default_outbox,
        description="Folder for each email and SMS as a file, if no server is set; <data>/outbox when embedded.",
    )
    smtp_url: Smtp = Field(
        default=None, description="Email server, smtp://[user:password@]host:port or smtps://…; the outbox when absent."
    )
    mail_from: MailFrom = Field(
        default=Mailbox("no-reply@rollbook.local", "Rollbook"),
        description="Sender of email without a theme, Name <address>.",
    )
    sms_url: SecretUrl = Field(
        default=None, description="URL that each SMS is posted to as JSON; the outbox when absent."
    )
    sms_secret: WebhookSecret = Field(
        default=None,
        description="Secret that signs these posts (Standard Webhooks), whsec_<base64>; unsigned when absent.",
    )
    sms_from: str | None = Field(default=None, description="Sender of SMS, a number or name.")
    link_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/\s]+\S*$",
        description="Base URL of links in messages without a theme; ROLLBOOK_PUBLIC_URL when absent.",
    )
    referral_code_seconds: int = Field(
        default=2_592_000, ge=60, description="Lifetime of the code in an invitation in seconds."
    )
    sign_up_code_seconds: int = Field(default=86_400, ge=60, description="Lifetime of a confirmation code in seconds.")
    reset_code_seconds: int = Field(
        default=3_600, ge=60, description="Lifetime of a code to set a new password in seconds."
    )
    sms_code_seconds: int = Field(
        default=600, ge=60, description="Longest lifetime of a code that is sent by SMS in seconds."
    )
    fresh_login_seconds: int = Field(
        default=3_600,
        ge=0,
        description="Age in seconds up to which a login lets users change their own contacts; 0 for any age.",
    )
    code_tries: int = Field(
        default=5,
        ge=0,
        le=1000,
        description="Wrong tries after which the codes of a user for one purpose are void; 0 disables this limit.",
    )
    redis_url: RedisUrl = Field(
        default=None, validation_alias="REDIS_URL", description="Redis or Valkey; embedded when absent."
    )
    listen_url: Dsn = Field(
        default=None, description="PostgreSQL itself, for LISTEN, when DATABASE_URL is a transaction pooler."
    )
    pool_size: int = Field(
        default=10, ge=2, le=500, description="Maximum size of each of the two connection pools of an API process."
    )
    database_wait: float = Field(
        default=20.0, gt=0, le=300, description="Seconds that commands wait for PostgreSQL that does not answer."
    )
    api_processes: int = Field(default=1, ge=1, le=64, description="Number of API processes that `rollbook up` runs.")
    admin_email: str = Field(
        default="admin@rollbook.local",
        pattern=r"^[^@\s]+@[^@\s]+$",
        description="Email address of the first administrator.",
    )
    admin_password: SecretStr | None = Field(
        default=None,
        description="The first administrator's password; generated into <data>/admin-password when absent.",
    )
    service_accounts: ServiceAccounts = Field(
        default=(),
        description="Applications that may call the API, namespace/name:token,…; name one twice for two valid tokens.",
    )
    argon2: Argon2 = Field(
        default=Argon2Parameters(2, 19_456, 1),
        description="Cost of a password hash: time,memory-KiB,lanes. OWASP's recommendation when absent.",
    )
    hashing_threads: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        le=256,
        description="Number of password hashes computed at the same time; one per processor when absent.",
    )
    password_length: int = Field(default=8, ge=8, le=64, description="Smallest number of characters of a new password.")
    totp_issuer: str = Field(
        default="Rollbook",
        pattern=r"^[^:]{1,64}$",
        description="Name of this service in authenticator apps.",
    )
    pwned_url: SecretUrl = Field(
        default=None, description="Range service of breached passwords (Have I Been Pwned); not checked when absent."
    )
    login_failures: int = _limit(10, "Failed logins of one name in 15 minutes")
    login_failures_address: int = _limit(100, "Failed logins from one address in 15 minutes")
    logins_address: int = _limit(60, "Logins from one address in a minute")
    password_checks_address: int = _limit(100, "Ratings of passwords from one address in 15 minutes")
    service_documents_address: int = _limit(600, "Reads of service documents from one address in a minute")
    refreshes_session: int = _limit(30, "Refreshes of one session in a minute")
    service_failures_address: int = _limit(20, "Refused service accounts from one address in 15 minutes")
    code_requests: int = _limit(5, "Requests of a code for one name in an hour")
    code_requests_address: int = _limit(100, "Requests of codes from one address in an hour")
    sign_ups_address: int = _limit(100, "Sign-ups from one address in an hour")
    code_failures: int = _limit(10, "Wrong codes for one name in 15 minutes")
    code_failures_address: int = _limit(100, "Wrong codes from one address in 15 minutes")
    known_addresses: int = _limit(50, "Known addresses that onboarding reveals to an administrator in a day")
    onboarding_resends: int = _limit(5, "Times that the invitation of an onboarding request is sent again in an hour")
    lookup_misses_address: int = _limit(100, "Look-ups of codes that found nothing, from one address in 15 minutes")
    services: Services = Field(
        default_factory=dict, description="Services that anonymous accesses reach, name=url,…; none when absent."
    )
    proxy_seconds: float = Field(
        default=10.0, gt=0, le=60, description="Seconds of a call through an anonymous access, as a whole."
    )
    proxy_bytes: int = Field(
        default=1_048_576, ge=1, le=67_108_864, description="Largest answer to a call through an anonymous access."
    )
    proxy_calls: int = _limit(60, "Calls through one anonymous access in a minute")
    session_log_days: int = Field(
        default=400, ge=31, description="Days that logins stay in the log of sessions; a session lives at most 30."
    )
    health_wait: float = Field(
        default=2.0, gt=0, le=60, description="Seconds that /readyz and /healthz wait for PostgreSQL and Redis."
    )
    job_stalled: float = Field(
        default=10.0, ge=3, le=600, description="Seconds without a heartbeat after which a worker's jobs go to others."
    )
    position_wait: float = Field(
        default=2.0, ge=0, le=60, description="Seconds that a read waits for X-At-Least-Position."
    )
    master_key: MasterKey = Field(
        default=None, description="Key that wraps all data keys, 32 bytes in base64; <data>/master.key when absent."
    )
    new_master_key: MasterKey = Field(
        default=None,
        description="New master key for `rollbook rotate-master-key`, if ROLLBOOK_MASTER_KEY is set.",
    )
    signing_key: SigningKeys = Field(
        default=None,
        description="Keys of tokens, Ed25519 in PEM; the first signs, all verify; <data>/signing.pem when absent.",
    )
    issuer: str = Field(default="rollbook", min_length=1, description="`iss` of access tokens.")
    audience: str = Field(default="rollbook", min_length=1, description="`aud` of access tokens.")
    token_review_url: str | None = Field(
        default=None,
        pattern=r"^https?://\S+$",
        description="Kubernetes API server that checks service accounts; ROLLBOOK_SERVICE_ACCOUNTS when absent.",
    )
    token_review_audience: str = Field(
        default="rollbook", min_length=1, description="Audience that those tokens must have."
    )
    token_review_credential: Path = Field(
        default=Path("/var/run/secrets/kubernetes.io/serviceaccount/token"),
        description="File with Rollbook's own token for that API server.",
    )
    token_review_authority: Path | None = Field(
        default=None,
        description="File with the certificate authority of that API server; the system's authorities when absent.",
    )
    connections: int = Field(
        default=1000,
        ge=1,
        le=100_000,
        description="Maximum client connections of each API process; further ones are answered 503.",
    )
    keep_alive_seconds: int = Field(
        default=75, ge=1, le=3600, description="Seconds that a connection stays open between two requests."
    )
    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/\s]+\S*$",
        description="Address at which clients reach the service; https enables Strict-Transport-Security. "
        "http://<host>:<port> when absent.",
    )
    docs: bool = Field(default=True, description="Serve the API reference at /docs.")
    metrics: bool = Field(default=False, description="Serve Prometheus metrics at /metrics on the main port.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Lowest severity that is logged."
    )

    @model_validator(mode="before")
    @classmethod
    def _stripped(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Strip the blanks and line ends that files and shells leave. A blank value counts as absent."""
        bare = {name: value.strip() if isinstance(value, str) else value for name, value in values.items()}
        return {name: value for name, value in bare.items() if value != ""}

    @property
    def public_base(self) -> str:
        """Our own address, without a slash at the end (rulings K11, L12)."""
        host = connectable_host(self.host)
        return (self.public_url or f"http://{host}:{self.port}").rstrip("/")

    @property
    def code_lifetimes(self) -> CodeLifetimes:
        """Return the lifetimes of confirmation and reset codes (ruling K18)."""
        return CodeLifetimes(self.sign_up_code_seconds, self.reset_code_seconds, self.sms_code_seconds)

    @property
    def link_base(self) -> str:
        """Return the base URL of links in messages without a theme, without a slash at its end (ruling K12)."""
        return self.public_base if self.link_url is None else self.link_url.rstrip("/")

    def owner_dsn(self, purpose: Purpose = "maintain") -> str:
        """Return the owner's connection string, for migrations, rebuilds and the first start only."""
        return session_dsn(self.plain_owner_dsn(), purpose)

    def plain_owner_dsn(self) -> str:
        """Return the owner's connection string without session settings."""
        return _present(self.database_url, "DATABASE_URL")

    @property
    def knows_application_login(self) -> bool:
        """Whether the application's login is known, from ROLLBOOK_APP_DATABASE_URL or DATABASE_URL."""
        return self.app_database_url is not None or (
            self.database_url is not None and _user(self.database_url.get_secret_value()) == APPLICATION_ROLE
        )

    def dsn(self, purpose: Purpose = "read") -> str:
        """Return the application's connection string; its role may not change or delete events."""
        return session_dsn(self.application_login(), purpose)

    def listen_dsn(self, purpose: Purpose = "listen") -> str:
        """Return the connection string that bypasses a transaction pooler, for LISTEN and session locks."""
        return session_dsn(self.listen_login(), purpose)

    def looking_dsn(self) -> str:
        """Return a connection string for commands that only read: the application's login, or else the owner's."""
        return self.dsn("maintain") if self.knows_application_login else self.owner_dsn()

    def application_login(self) -> str:
        """Return ROLLBOOK_APP_DATABASE_URL, or DATABASE_URL if that has the application's login."""
        if self.app_database_url is None and self.knows_application_login:
            return self.plain_owner_dsn()
        return _present(self.app_database_url, PREFIX + "APP_DATABASE_URL")

    def listen_login(self) -> str:
        """Return the application's login at the server where LISTEN works."""
        login = self.application_login()
        if self.listen_url is None:
            return login
        known = conninfo_to_dict(login)
        same = {name: known[name] for name in ("user", "password") if name in known}
        return make_conninfo(self.listen_url.get_secret_value(), **same)

    def redis(self) -> str | None:
        """Return the address of Redis, or None. Without Redis each process keeps its own counters."""
        return None if self.redis_url is None else self.redis_url.get_secret_value()

    def master_key_bytes(self) -> bytes:
        """Return the 32 bytes of the master key."""
        return base64.b64decode(_present(self.master_key, PREFIX + "MASTER_KEY"))


def _user(dsn: str) -> object:
    return conninfo_to_dict(dsn).get("user")


def _present(secret: SecretStr | None, variable: str) -> str:
    if secret is None:
        raise InvalidSettingsError(f"{variable}: must be set")
    return secret.get_secret_value()
