"""The tokens of a session, and what they and the answers around them tell about its user (ruling K123)."""

from collections.abc import Mapping
from typing import Any

from adapters.security.tokens import NO_CLAIMS, Tokens
from api.documents.sessions import sessions as documents
from domain.core.locales import Locale
from domain.core.personal import revealed
from domain.people.users import User
from domain.sessions.commands import SignedIn
from domain.sessions.sessions import Session

LOCALES: dict[str, Locale] = {"en_US": "en_US", "es_US": "es_US"}


def login_tokens(signer: Tokens, signed_in: SignedIn) -> dict[str, Any]:
    """Return the attributes of the answer to a login."""
    return refreshed_tokens(signer, signed_in) | {"refresh_token": signed_in.refresh_token}


def refreshed_tokens(signer: Tokens, signed_in: SignedIn) -> dict[str, Any]:
    """Return the attributes of the answer to a refresh: those to a login without the refresh token."""
    session, user = signed_in.session, signed_in.user
    return login_info(session, user, signed_in.impersonator) | {
        "access_token": access_token(signer, signed_in),
        "id_token": id_token(signer, signed_in),
    }


def access_token(signer: Tokens, signed_in: SignedIn, further: Mapping[str, str] = NO_CLAIMS) -> str:
    """Return an access token of the session, with further claims for other applications."""
    session = signed_in.session
    return signer.access_token(
        session.user_id,
        session.id,
        session.organization_id,
        signed_in.access_until,
        impersonator=session.impersonator,
        further=further,
    )


def id_token(signer: Tokens, signed_in: SignedIn) -> str:
    """Return an id token of the session."""
    session = signed_in.session
    about = id_claims(session, signed_in.user)
    return signer.id_token(
        session.user_id, session.id, signed_in.access_until, about, impersonator=session.impersonator
    )


def id_claims(session: Session, user: User) -> dict[str, Any]:
    """Return the claims of OpenID Connect Core 1.0 about the user, without those that have no value."""
    email, phone, _ = user.names.revealed
    claims = {
        "auth_time": int(session.authenticated_at.timestamp()),
        "amr": session.authenticated_by or None,
        "email": email,
        "email_verified": None if email is None else user.email_verified,
        "phone_number": phone,
        "phone_number_verified": None if phone is None else user.phone_verified,
        "given_name": revealed(user.first_name),
        "family_name": revealed(user.last_name),
        "preferred_username": user.login_name,
        "locale": locale_of(session, user).replace("_", "-"),
        "zoneinfo": user.tz or user.assumed_tz,
    }
    return {name: value for name, value in claims.items() if value is not None}


def login_info(session: Session, user: User, impersonator: User | None) -> dict[str, Any]:
    """Return the user who has signed in."""
    return {
        "email": revealed(user.names.email),
        "first_name": revealed(user.first_name),
        "impersonated_by": None if impersonator is None else impersonated_by(session, impersonator),
        "individual": documents.PrimaryIndividual(id=user.individual_id),
        "last_name": revealed(user.last_name),
        "locale": locale_of(session, user),
        "locale_explicit": user.locale is not None,
        "multi_organization": len(user.organizations) > 1,
        "organizations": list(user.organizations),
        "session_id": session.id,
        "tz": user.tz or user.assumed_tz,
        "tz_explicit": user.tz is not None,
        "user_id": user.id,
        "username": user.login_name,
    }


def impersonated_by(session: Session, impersonator: User) -> documents.Impersonator:
    """Return the staff member who acts as the user, with the session from which they do (ruling K129)."""
    assert session.opened_from is not None, "an impersonated session has an origin"
    email = revealed(impersonator.names.email)
    return documents.Impersonator(email=email, id=impersonator.id, session_id=session.opened_from)


def locale_of(session: Session, user: User) -> Locale:
    """Return the language of the user: their explicit one, else that of the login."""
    return LOCALES.get(user.locale or user.assumed_locale or session.locale or "", "en_US")
