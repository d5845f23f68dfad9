"""Steps of a history about plain records, registration invitations and sign-ups."""

from collections.abc import Callable
from typing import Any, cast
from uuid import NAMESPACE_URL, uuid4, uuid5

from domain.core.records import Record
from domain.onboarding.registration_invitations import RegistrationInvitation
from domain.onboarding.service_documents import ServiceDocument, ServiceDocumentFields
from domain.organizations.email_templates import EmailTemplate, EmailTemplateFields
from domain.organizations.enrollment_codes import OrganizationCode, OrganizationCodeFields
from domain.organizations.general_messages import GeneralMessage, GeneralMessageFields
from domain.organizations.sms_templates import SmsTemplate, SmsTemplateFields
from domain.organizations.themes import Theme, ThemeFields
from domain.people.sign_ups import Registration, SignUp
from tests.support.history_steps.made import FEW, MadeAggregates

REGISTRATION = Registration(
    organization_code="Code", first_name="Ada", last_name="Byron", password="secret", email=None, phone=None,
    username=None, named_by=None, login_contact=None, channels=(), enrollment_data="{}", birth_date="1961-04-12",
    gender=None, preferred_name=None, agreements=(), locale=None, tz=None,
)  # fmt: skip


class RecordSteps(MadeAggregates):
    """What happens to plain records and registration invitations."""

    async def _theme(self) -> None:
        domains = [f"{number}.example.org" for number in FEW]
        await self._write(Theme, "domain", domains, lambda domain: ThemeFields(domain, "help@example.org"))

    async def _message(self) -> None:
        organization_id, locales = self._organizations[0].id, ["en_US", "es_US"]
        await self._write(
            GeneralMessage,
            "locale",
            locales,
            lambda locale: GeneralMessageFields(organization_id, "contact", locale, "x"),
        )

    async def _sms_template(self) -> None:
        theme_id, locales = uuid5(NAMESPACE_URL, "theme"), ["en_US", "es_US"]
        await self._write(
            SmsTemplate,
            "locale",
            locales,
            lambda locale: SmsTemplateFields(None, theme_id, "verify", locale, "{{code}}"),
        )

    async def _email_template(self) -> None:
        organization_id, formats = self._organizations[0].id, ["html", "txt"]
        await self._write(
            EmailTemplate, "format", formats,
            lambda kind: EmailTemplateFields(organization_id, None, "verify-email", "en_US", kind, "s", "{{code}}"),
        )  # fmt: skip

    async def _document(self) -> None:
        organization_id = self._one([None, *(each.id for each in self._organizations)])
        texts = {"en_US": "text"}
        await self._store.save(
            ServiceDocument.create(ServiceDocumentFields("terms", uuid4().hex, "en_US", organization_id, texts, texts))
        )

    async def _code(self) -> None:
        live = self._records.setdefault(OrganizationCode, [])
        if len(live) > 1 and self._random.random() < 0.5:
            code: Record[Any] = self._one(live)
            if self._random.random() < 0.5:
                code.change({"individual_group_id": uuid4()})
            else:
                code.delete()
                live.remove(code)
        else:
            organization_id = self._one(self._organizations).id
            code = OrganizationCode.create(OrganizationCodeFields(f"Code-{uuid4().hex[:12]}", organization_id))
            live.append(code)
        await self._store.save(code)

    async def _register_oneself(self) -> None:
        users = [user for user in self._users if user.id not in self._self_registered]
        if users and (codes := self._records.get(OrganizationCode)):
            user = self._one(users)
            self._self_registered.add(user.id)
            await self._store.save(SignUp.create(user.id, cast("OrganizationCode", self._one(codes)), REGISTRATION))

    async def _expect(self) -> None:
        organization_id = self._one(self._organizations).id
        invitation = RegistrationInvitation.create(organization_id, f"{uuid4()}@example.org", uuid4())
        self._expected.append(invitation)
        await self._store.save(invitation)

    async def _arrive(self) -> None:
        if self._expected:
            invitation = self._expected.pop()
            invitation.claim(uuid4())
            await self._store.save(invitation)

    async def _write(self, kind: type[Record[Any]], unique: str, values: list[str], make: Callable[[str], Any]) -> None:
        """Create, change or delete a record, one of the values of its unique field being free."""
        live = self._records.setdefault(kind, [])
        free = [each for each in values if each not in {getattr(record.fields, unique) for record in live}]
        if live and (not free or self._random.random() < 0.5):
            record = self._one(live)
            if free and self._random.random() < 0.5:
                record.change({unique: self._random.choice(free)})
            elif kind is Theme or len(live) == 1:  # one stays, so that no table is empty afterwards
                record.change({"is_active": not record.fields.is_active} if kind is Theme else {})
            else:
                record.delete()
                live.remove(record)
        else:
            record = kind.create(make(self._random.choice(free)))
            live.append(record)
        await self._store.save(record)
