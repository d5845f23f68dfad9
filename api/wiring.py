"""Builds the services of the application, and closes them in the opposite order."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

from adapters.log.event_store import EventStore
from adapters.log.idempotency_store import IdempotencyStore
from adapters.log.notifications import Notifications
from adapters.log.write_probe import WriteProbe
from adapters.outbound.breached_passwords import breached_passwords
from adapters.outbound.proxied_services import CountedCalls, HttpServices
from adapters.postgres.connections import Pool
from adapters.security.code_tries import CountedTries
from adapters.security.enrollment_schemas import CheckedEnrollmentSchemas
from adapters.security.keyring import Keyring
from adapters.security.known_addresses import CountedAddresses
from adapters.security.login_throttle import LoginThrottle
from adapters.security.passwords import PasswordPool
from adapters.security.resends import CountedResends
from adapters.security.signing_keys import signing_keys
from adapters.security.throttle import Throttle, opened_redis
from adapters.security.token_reviewers import KubernetesReviewer, SettingReviewer
from adapters.security.tokens import RememberedTokens, Tokens
from adapters.security.totp import PyotpCodes
from adapters.settings import Settings
from api.edge.access import ReadAccess, session_lookup
from api.edge.indexing import Indexing
from api.edge.positions import Positions
from api.services import Services
from domain.application import Identity
from domain.onboarding.referral_codes import ReferralCodes
from domain.people.passwords import PasswordPolicy
from domain.people.verification_codes import CodeCheck, CodeDerivation
from domain.sessions.service_accounts import TokenReviewer
from projections import registry
from projections.access.rights import CurrentRights
from projections.people.directory import InlineDirectory
from projections.sessions.sessions import SessionReader


@asynccontextmanager
async def built(settings: Settings) -> AsyncIterator[Services]:
    """Open everything that an API process needs. Raises psycopg's error when Postgres cannot be reached."""
    async with AsyncExitStack() as stack:
        # reads and stores have separate pools, so that neither starves the other
        pool = await stack.enter_async_context(_pool(settings))
        writing = await stack.enter_async_context(_pool(settings))
        redis = await stack.enter_async_context(opened_redis(settings.redis()))
        notifications = Notifications(settings.listen_dsn())
        positions = await stack.enter_async_context(Positions(pool, notifications))
        await stack.enter_async_context(notifications)
        access = ReadAccess(pool)
        keyring = Keyring(writing, settings.master_key_bytes())
        lookup = await keyring.lookup()
        secret = lookup("idempotency", "")  # outlives the master key, as a retry's answer must
        throttle = Throttle(redis, lookup)
        directory = InlineDirectory(pool, lookup)
        signer = Tokens(signing_keys(settings), settings.issuer, settings.audience)
        passwords = stack.enter_context(PasswordPool(settings.argon2, settings.hashing_threads))
        stores = [
            await stack.enter_async_context(store)
            for store in (
                EventStore(writing, "identity", registry.inline(lookup), keyring, CurrentRights()),
                EventStore(writing, "sessions", registry.inline(lookup, "sessions"), keyring),
            )
        ]
        positions.when_waiting(stores[0].hurry)
        yield Services(
            settings=settings,
            pool=pool,
            positions=positions,
            indexing=await stack.enter_async_context(Indexing(settings.dsn("index"))),
            tokens=RememberedTokens(signer),
            session_of=session_lookup(pool),
            access=access,
            answers=await stack.enter_async_context(IdempotencyStore(pool, settings.listen_dsn("lock"), secret)),
            identity=Identity(
                *stores,
                access=access,
                directory=directory,
                password_policy=PasswordPolicy(passwords, breached_passwords(settings), settings.password_length),
                attempts=LoginThrottle(throttle, lookup, settings),
                live_sessions=SessionReader(pool),
                one_time_codes=PyotpCodes(),
                proxied_services=await stack.enter_async_context(
                    HttpServices(
                        settings.services, signer, seconds=settings.proxy_seconds, max_bytes=settings.proxy_bytes
                    )
                ),
                proxied_calls=CountedCalls(throttle, settings.proxy_calls),
                known_addresses=CountedAddresses(throttle, settings.known_addresses),
                resends=CountedResends(throttle, settings.onboarding_resends),
                referral_codes=ReferralCodes(lookup, settings.referral_code_seconds),
                fresh_login=timedelta(seconds=settings.fresh_login_seconds),
                code_checks=CodeCheck(
                    CountedTries(writing, settings.code_tries), CodeDerivation(lookup, settings.code_lifetimes)
                ),
                enrollment_schemas=stack.enter_context(CheckedEnrollmentSchemas()),
            ),
            directory=directory,
            signer=signer,
            reviewer=_reviewer(settings),
            throttle=throttle,
            probe=WriteProbe(stores),
            redis=redis,
        )


def _reviewer(settings: Settings) -> TokenReviewer:
    reviewer = SettingReviewer(settings.service_accounts)
    if settings.token_review_url is None:
        return reviewer
    return KubernetesReviewer(
        settings.token_review_url,
        settings.token_review_audience,
        settings.token_review_credential,
        reviewer,
        settings.token_review_authority,
    )


def _pool(settings: Settings) -> Pool:
    return Pool(
        settings.dsn(),
        application_name="rollbook-api",
        min_size=2,
        max_size=settings.pool_size,
        timeout=settings.database_wait,
    )
