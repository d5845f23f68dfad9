"""Commands that change the profile and the contacts of users (rulings K6, K7, K44, K45, K48 and K65 to K72)."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from domain.core.audited import Audited
from domain.core.borrowed import require_own_session
from domain.core.errors import Conflict, Forbidden, Invalid, LostRace
from domain.core.permissions import Permissions
from domain.core.ports import AccessQuery, Store, retry_on_conflict, save_resting_on
from domain.core.principal import Principal
from domain.people.account_codes import CHANNELS, AccountCodes
from domain.people.confirmations import REVERIFY_TEMPLATES, has_signed_up
from domain.people.directory import Directory
from domain.people.login_names import ContactKind, parse_login_name
from domain.people.security_notices import NoticeReason, notices_of
from domain.people.user_commands import update_admin_roles
from domain.people.user_state import STAFF
from domain.people.users import IdentifierTaken, User, UserArchived, UserNotFound
from domain.people.verification_codes import VerificationCodes, verification_codes_id

Changes = Mapping[str, Any]
"""The new values of attributes by Python name."""

PROFILE = frozenset({"first_name", "last_name", "locale", "tz"})
CONTACTS: tuple[ContactKind, ...] = ("email", "phone")
NOTICES: dict[ContactKind, NoticeReason] = {"email": "email-changed", "phone": "phone-changed"}
SENSITIVE = frozenset({*CONTACTS, "username"})
"""Attributes with which a thief of a session could take the account over (ruling K6)."""
REACHING = SENSITIVE | {"communication_preferences"}
"""Attributes that decide how messages reach a user. Borrowed sessions change those of nobody (ruling K131)."""
OWN = PROFILE | REACHING | {"default_organization_id"}
EVERY = OWN | {"classification"}
MAX_PREFERENCES = 64 * 1024
"""Bytes of the communication preferences of a user as compact JSON."""


class ReauthenticationRequired(Forbidden, code="reauthentication-required"):
    """You logged in too long ago to change this; log in again."""


class PreferencesTooLarge(Invalid, argument="communication_preferences"):
    """The communication preferences would be larger than 64 KiB."""


class ForeignPhone(Conflict):
    """The user has another phone number, or none."""


class StaffWithoutOrganization(Conflict):
    """The user is not a provider of an organization; only providers can be staff."""


@dataclass(frozen=True, eq=False)
class UserChanges:
    """Commands that change users. `fresh_login` is how old a login may be to change one's own contacts; zero is off."""

    store: Store
    directory: Directory
    permissions: Permissions
    accounts: AccountCodes
    fresh_login: timedelta

    @retry_on_conflict
    async def change(self, principal: Principal, user_id: UUID, changes: Changes) -> int:
        """Change attributes of a user. Return the position of the events.

        A new e-mail address or phone number is not verified: a code is sent to it, unless the user has not signed up,
        and the codes that were sent to the former one become void. Raises NotFound, UserArchived; Forbidden, once for
        each attribute that the principal may not change; ImpersonationNotAllowed, ReauthenticationRequired,
        LastContact, IdentifierTaken, UnverifiedLoginName, NotInOrganization, StaffWithoutOrganization,
        PreferencesTooLarge.
        """
        user = await self._require_changeable(principal, user_id, changes)
        self._require_fresh_login(principal, user_id, changes)
        codes = await self.store.find(VerificationCodes, verification_codes_id(user_id))
        more = await self._change_contacts(user, codes, changes)
        _change_rest(user, changes)
        if "classification" in changes:
            if changes["classification"] == STAFF and not user.organizations:
                raise StaffWithoutOrganization(argument="classification")
            user.classify(changes["classification"])
            more += await update_admin_roles(self.store, user)
        try:
            return await save_resting_on(self.store, user, *more)
        except IdentifierTaken:  # a concurrent command took the name: decide again, to say which one
            raise LostRace from None

    @retry_on_conflict
    async def confirm_phone(self, principal: Principal, user_id: UUID, phone: str) -> int:
        """Verify the phone number of a user, for whom staff or a service vouches. Return the position of the events.

        Raises NotFound, Forbidden, UserArchived, ForeignPhone.
        """
        await self.permissions.require_readable_user(principal, user_id)
        principal.require_reads_all()
        user = await self._person(user_id)
        if user.archived:
            raise UserArchived
        present = user.names.revealed[1]
        if present is None or parse_login_name(present) != parse_login_name(phone):
            raise ForeignPhone(argument="phone_number")
        user.verify_contact("phone")
        return await self.store.save(user)

    async def _person(self, user_id: UUID) -> User:
        user = await self.store.find(User, user_id)
        if user is None or user.kind == "service":
            raise UserNotFound
        return user

    async def _require_changeable(self, principal: Principal, user_id: UUID, changes: Changes) -> User:
        """Return the user. Raises the refusals of `change` that are about the principal."""
        await self.permissions.require_readable_user(principal, user_id)
        user = await self._person(user_id)
        if user.archived and not principal.unlimited:
            raise UserNotFound
        if changes.keys() & REACHING:
            require_own_session(principal, "change contacts")
        allowed = await self._changeable(principal, user)
        refused = [Forbidden(argument=name) for name in changes if name not in allowed]
        if refused or not allowed:
            raise Forbidden(argument=refused[0].argument if refused else None, others=refused[1:])
        if user.archived:
            raise UserArchived
        return user

    async def _changeable(self, principal: Principal, user: User) -> Collection[str]:
        """Return the attributes of the user that the principal may change."""
        if principal.system:
            return EVERY
        if principal.service or principal.user_id == user.id:
            return OWN
        queries = [AccessQuery("organization", organization_id, "write") for organization_id in user.organizations]
        administered = await self.permissions.allows(principal, *queries) if queries else []
        if not any(administered):
            return frozenset()
        return PROFILE | {"phone"} if all(administered) else PROFILE

    def _require_fresh_login(self, principal: Principal, user_id: UUID, changes: Changes) -> None:
        sensitive = [name for name in changes if name in SENSITIVE]
        if not self.fresh_login or principal.user_id != user_id or principal.unlimited or not sensitive:
            return
        if datetime.now(UTC) - principal.authenticated_at > self.fresh_login:
            raise ReauthenticationRequired(argument=sensitive[0])

    async def _change_contacts(self, user: User, codes: VerificationCodes | None, changes: Changes) -> list[Audited]:
        """Change the contacts. Return what is saved with the user: their codes, and notices of the changes."""
        notices: list[Audited] = []
        email = user.names.revealed[0] if user.email_verified else None
        issued = codes or VerificationCodes.create(user.id)
        for kind in CONTACTS:
            if kind in changes:
                await self._require_free(user, kind, changes[kind])
                if user.change_contact(kind, changes[kind]):
                    self._reissue(issued, kind, sent=changes[kind] is not None and has_signed_up(user))
                    notices += notices_of(user, NOTICES[kind], former_address=email)
        return [issued, *notices] if issued.pending_events and issued.codes else notices

    async def _require_free(self, user: User, kind: ContactKind, contact: str | None) -> None:
        holders = [] if contact is None else await self.directory.users_named([parse_login_name(contact)])
        if any(holder != user.id for holder in holders):
            raise IdentifierTaken(argument=kind)

    def _reissue(self, codes: VerificationCodes, kind: ContactKind, *, sent: bool) -> None:
        """Make the codes void that were sent to the former contact, and send one to the new contact if there is one."""
        channel = next(channel for channel, each in CHANNELS.items() if each == kind)
        codes.void(code for code in codes.codes.values() if code.channel == channel)
        if sent:
            codes.issue(self.accounts.derivation, "confirm", channel, REVERIFY_TEMPLATES[channel])


def _change_rest(user: User, changes: Changes) -> None:
    if PROFILE & changes.keys():
        user.change_profile(user.profile._replace(**{name: changes[name] for name in PROFILE & changes.keys()}))
    if "username" in changes:
        user.choose_login_name(changes["username"])
    if "communication_preferences" in changes:
        user.set_communication_preferences(_merged(user, changes["communication_preferences"]))
    if "default_organization_id" in changes:
        user.change_default_organization(changes["default_organization_id"])


def _merged(user: User, channels: Mapping[str, Any]) -> str:
    """Return the preferences, as JSON, with the given channels replaced; None removes one.

    Raises PreferencesTooLarge.
    """
    stored = user.communication_preferences
    present = {} if stored is None or stored.value is None else json.loads(stored.value)
    merged = {name: channel for name, channel in {**present, **channels}.items() if channel is not None}
    found = json.dumps(merged, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    if len(found.encode()) > MAX_PREFERENCES:
        raise PreferencesTooLarge
    return found
