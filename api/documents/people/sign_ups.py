"""Signing up: POST /v1/sign-up/ (semantics 9, rulings K81 to K87, K149 and K150)."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Annotated, Literal, Self

import orjson
from pydantic import AfterValidator, Field, StrictBool, TypeAdapter, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from api.documents.addresses import EmailText
from api.documents.common import Attributes, Strict
from api.documents.fields import (
    Items,
    JsonObject,
    Name,
    Omittable,
    PhoneText,
    Secret,
    Secret20,
    Text20,
    Text255,
    UuidText,
    folded,
    problem,
    violations,
)
from api.documents.times import DateText, Timezone
from domain.core.locales import FALLBACK_LOCALE, Locale
from domain.core.messages import Channel
from domain.people.account_codes import CHANNELS
from domain.people.login_names import ContactKind, parse_login_name
from domain.people.sign_up_names import PLAIN
from domain.people.sign_ups import Registration

EARLIEST_BIRTH = date(1900, 1, 1)
_EMAIL: TypeAdapter[str] = TypeAdapter(EmailText)
_PHONE: TypeAdapter[str] = TypeAdapter(PhoneText)


def _birth_date(day: date) -> date:
    if not EARLIEST_BIRTH <= day <= datetime.now(UTC).date():
        raise PydanticCustomError("birth", "Input should be a day from 1900-01-01 to today")
    return day


BirthDate = Annotated[DateText, AfterValidator(_birth_date)]
Agreements = Annotated[tuple[UuidText, ...], Items(most=1000, made=tuple)]


def _login_name(text: str) -> str:
    """Return the user name. One that looks like an address or a number must be one (ruling K82)."""
    kind = parse_login_name(text).kind
    if kind == "email":
        return _EMAIL.validate_python(text.strip())
    return _PHONE.validate_python(text.strip()) if kind == "phone" else text


class SignUpRequest(Strict):
    """POST /v1/sign-up/, with either of the two codes. `auto-confirm` and `auto-sign-up` are ignored (ruling K86)."""

    auto_confirm: Annotated[StrictBool, Field(deprecated=True)] = False
    auto_sign_up: StrictBool = False
    birth_date: Omittable[BirthDate] = None
    contact_phone_mobile: Omittable[PhoneText] = None
    email: Omittable[EmailText] = None
    enrollment_data: Omittable[JsonObject] = None
    first_name: Omittable[Name] = None
    gender: Omittable[Literal["female", "male", "other", "pnta", "unknown"]] = None
    last_name: Omittable[Name] = None
    locale: Omittable[Locale] = None
    notifications: Omittable[Annotated[tuple[Channel, ...], Items(most=100, made=tuple)]] = None
    organization_code: Omittable[Text20] = None
    password: Secret
    preferred_name: Omittable[Name] = None
    referral_code: Omittable[Secret20] = None
    service_document_agreements: Agreements = ()
    set_username: Omittable[ContactKind] = None
    source: Omittable[Channel] = None
    tz: Omittable[Timezone] = None
    username: Annotated[Text255, AfterValidator(_login_name)]

    @property
    def contacts(self) -> dict[ContactKind, str | None]:
        """The e-mail address and the phone number, one of which may be the user name."""
        kind = self._kind_of_username()
        return {
            "email": self.email or (self.username if kind == "email" else None),
            "phone": self.contact_phone_mobile or (self.username if kind == "phone" else None),
        }

    def registration(self) -> Registration:
        """Return what the domain needs to know for a sign-up with an organization code."""
        assert self.organization_code is not None
        assert self.first_name is not None
        assert self.last_name is not None
        kind, contacts = self._kind_of_username(), self.contacts
        return Registration(
            organization_code=self.organization_code,
            first_name=self.first_name,
            last_name=self.last_name,
            password=self.password.get_secret_value(),
            email=contacts["email"],
            phone=contacts["phone"],
            username=self.username if kind is None and self.set_username is None else None,
            named_by=kind,
            login_contact=self.set_username or kind,
            channels=self._channels(),
            enrollment_data=orjson.dumps(self.enrollment_data or {}).decode(),
            birth_date=None if self.birth_date is None else self.birth_date.isoformat(),
            gender=self.gender,
            preferred_name=self.preferred_name,
            agreements=self.service_document_agreements,
            locale=self.locale or FALLBACK_LOCALE,
            tz=self.tz,
        )

    def _kind_of_username(self) -> ContactKind | None:
        kind = parse_login_name(self.username).kind
        return None if kind == "username" else kind

    def _channels(self) -> tuple[Channel, ...]:
        """The requested channels, else the source, else e-mail before text message (ruling K85)."""
        usual: tuple[Channel, ...] = tuple(channel for channel, kind in CHANNELS.items() if self.contacts[kind])
        return folded(self.notifications or ((self.source,) if self.source else usual[:1]))

    @model_validator(mode="after")
    def _of_one_shape(self) -> Self:
        problems = [*self._problems_of_codes(), *self._problems_of_username()]
        if self.referral_code is None and not problems:
            problems += [*self._problems_of_names(), *self._problems_of_channels()]
        if problems:
            raise violations(problems)
        return self

    def _problems_of_codes(self) -> Iterator[InitErrorDetails]:
        if self.organization_code is None and self.referral_code is None:
            yield problem("organization-code", "missing")
        elif self.organization_code is not None and self.referral_code is not None:
            yield problem("referral-code", "both", "Input should have one of the two codes")
        elif self.referral_code is not None:
            others = (name for name in OF_ORGANIZATION_CODES if self._has(name))
            yield from (
                problem(name, "other", "Input belongs to a sign-up with an organization code") for name in others
            )

    def _problems_of_username(self) -> Iterator[InitErrorDetails]:
        if self._kind_of_username() is None and not PLAIN.fullmatch(self.username):
            yield problem("username", "username", "Input should be 3 to 64 letters, digits, dots, underscores, hyphens")

    def _problems_of_names(self) -> Iterator[InitErrorDetails]:
        yield from (problem(name, "missing") for name in ("first-name", "last-name") if not self._has(name))
        kind = self._kind_of_username()
        if kind is None and not any(self.contacts.values()):
            yield problem("email", "missing")
        elif not self._fits(kind):
            yield problem("username", "username", "Input should be the e-mail address or phone number of the person")
        if self.set_username is not None and not self.contacts[self.set_username]:
            yield problem("set-username", "contact", "Input should be a contact that is given")

    def _fits(self, kind: ContactKind | None) -> bool:
        """Whether a user name that is a contact is the one that is given beside it."""
        given = {"email": self.email, "phone": self.contact_phone_mobile, None: None}[kind]
        return given is None or parse_login_name(given) == parse_login_name(self.username)

    def _problems_of_channels(self) -> Iterator[InitErrorDetails]:
        contacts = self.contacts
        for index, channel in enumerate(self.notifications or ()):
            if not contacts[CHANNELS[channel]]:
                yield problem(
                    ("notifications", index), "contact", "Input should be a channel to a contact that is given"
                )
        if self.source is not None and not contacts[CHANNELS[self.source]]:
            yield problem("source", "contact", "Input should be a channel to a contact that is given")

    def _has(self, name: str) -> bool:
        return name.replace("-", "_") in self.model_fields_set


OF_ORGANIZATION_CODES = (
    "auto-sign-up", "birth-date", "contact-phone-mobile", "email", "enrollment-data", "first-name", "gender",
    "last-name", "notifications", "preferred-name",
)  # fmt: skip


class SignUpAnswer(Attributes):
    """Answers POST /v1/sign-up/."""

    account_type: Literal["patient", "provider"]
