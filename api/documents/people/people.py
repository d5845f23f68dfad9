"""What several resources say of a person."""

from datetime import date
from typing import Any, Literal, Self
from uuid import UUID

import orjson
from pydantic import model_validator
from pydantic_core import PydanticCustomError

from api.documents.common import Attributes, Strict
from api.documents.fields import JsonObject, Omittable
from domain.people.user_changes import MAX_PREFERENCES

RegistrationInvite = Literal["accepted", "failed", "none", "sent"]
Classification = Literal["carium", "customer", "customer_test"]


class CommunicationPreferences(Attributes):
    """How a person wants to be reached, an object per channel."""

    email: dict[str, Any] | None = None
    mobile: dict[str, Any] | None = None
    sms: dict[str, Any] | None = None
    voice: dict[str, Any] | None = None
    web: dict[str, Any] | None = None

    @classmethod
    def stored(cls, channels: dict[str, Any] | None) -> "CommunicationPreferences | None":
        """As read models keep them."""
        return None if channels is None else cls.model_construct(**channels)


class BoundedPreferences(Strict):
    """Preferences in a request; all channels together are bounded."""

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if len(orjson.dumps(self.given())) > MAX_PREFERENCES:
            raise PydanticCustomError("size", f"Input should have at most {MAX_PREFERENCES} bytes as JSON")
        return self


class GivenCommunicationPreferences(BoundedPreferences):
    """The same as a client sends it."""

    email: Omittable[JsonObject] = None
    mobile: Omittable[JsonObject] = None
    sms: Omittable[JsonObject] = None
    voice: Omittable[JsonObject] = None
    web: Omittable[JsonObject] = None


class ChangedCommunicationPreferences(BoundedPreferences):
    """Channels that are replaced; null removes one."""

    email: JsonObject | None = None
    mobile: JsonObject | None = None
    sms: JsonObject | None = None
    voice: JsonObject | None = None
    web: JsonObject | None = None


class PersonReference(Attributes):
    """Somebody who did something; the names are null for those who have none, or are erased."""

    first_name: str | None
    id: UUID
    last_name: str | None


class Owner(Attributes):
    id: UUID
    type: Literal["organization", "user"]


class PersonNames(Attributes):
    """The names are null for a person who has none, for callers who may not see them, and after an erasure."""

    first_name: str | None = None
    last_name: str | None = None


class UserNames(PersonNames):
    username: str | None = None


class PersonSummary(PersonNames):
    """What groups show of every person in them."""

    communication_preferences: CommunicationPreferences | None = None
    email_verified: bool
    id: UUID
    phone_verified: bool
    verified: bool


class IndividualSummary(PersonSummary):
    """An individual as group rosters show it."""

    birth_date: date | None = None
    name: str | None = None
    owner: Owner
    preferred_name: str | None = None
    registered: bool
    registration_invite: RegistrationInvite
    tz: str | None = None


class ProviderSummary(PersonSummary):
    """A provider as groups show them."""

    email: str | None = None
    individual_id: UUID | None = None


class GroupMember(ProviderSummary):
    """A member of a group."""

    created_by_id: UUID | None = None
    registration_invite: RegistrationInvite


class GroupLeader(GroupMember):
    """A leader of a group; `enabled` is false while the account is disabled."""

    enabled: bool
