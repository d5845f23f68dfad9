"""Service documents: /v1/service-documents/ (rulings K109 to K111)."""

from typing import Annotated, ClassVar, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from api.documents.common import Attributes, Listing, Resource, Single, Strict
from api.documents.envelope import CreateRequest
from api.documents.fields import EXTENSION, Items, Name, Omittable, Text16, Text20, UuidText, violation, without_nul
from api.documents.parameters import Flag, Parameters
from api.documents.records import RecordFilters
from api.documents.times import ContractDatetime
from domain.core.locales import Locale
from domain.onboarding.service_documents import MAX_HTML, MAX_VERSION, TYPE, ServiceDocumentFields
from projections.onboarding.service_documents import IS_LATEST

DocumentType = Annotated[str, StringConstraints(strict=True, pattern=f"^{TYPE}$")]
Version = Annotated[
    str, StringConstraints(strict=True, min_length=1, max_length=MAX_VERSION), AfterValidator(without_nul)
]
Html = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=MAX_HTML), AfterValidator(without_nul)]


class ServiceDocumentListQuery(RecordFilters):
    """GET /v1/service-documents/. Codes that lead to no organization add nothing (ruling K110).

    The endpoint adds the organizations of the codes to `organizations`.
    """

    FILTERS: ClassVar = {
        "latest": f"(NOT {{}} OR {IS_LATEST})",
        "organizations": "(r.organization_id IS NULL OR r.organization_id = ANY({}::uuid[]))",
    }

    latest: Flag
    organization_code: Omittable[Text20] = None
    organizations: Annotated[tuple[UuidText, ...], Items(most=10, made=tuple)] = ()
    referral_code: Omittable[Text20] = None


class PageQuery(Parameters):
    """GET /service-documents/{id}/."""

    locale: Omittable[Text16] = None


class ServiceDocumentQuery(PageQuery):
    """GET /v1/service-documents/{id}/."""

    html: Omittable[Flag] = None
    reflow: Omittable[Flag] = None


class TextToCreate(Strict):
    title: Name
    html: Html
    locale: Locale


class ServiceDocumentToCreate(TextToCreate):
    type: DocumentType
    version: Version
    locale: Locale = "en_US"
    organization_id: UuidText | None = None
    translations: Annotated[tuple[TextToCreate, ...], Items(most=10, made=tuple)] = ()

    @model_validator(mode="after")
    def _one_text_per_locale(self) -> Self:
        if len({each.locale for each in self._texts()}) <= len(self.translations):
            raise violation("translations", "twice", "There is one text in each locale")
        return self

    def fields(self) -> ServiceDocumentFields:
        """Return the fields of the new document."""
        titles: dict[str, str] = {each.locale: each.title for each in self._texts()}
        html: dict[str, str] = {each.locale: each.html for each in self._texts()}
        return ServiceDocumentFields(self.type, self.version, self.locale, self.organization_id, titles, html)

    def _texts(self) -> tuple[TextToCreate, ...]:
        return (self, *self.translations)


class CreateServiceDocument(CreateRequest[Literal["service-documents"], ServiceDocumentToCreate]):
    """POST /v1/service-documents/."""


class OrganizationReference(Attributes):
    id: UUID


class Translation(Attributes):
    html_link: str
    locale: Locale
    title: str


class ServiceDocumentAttributes(Attributes):
    """`html` is for single documents, where it was asked for."""

    created_time: ContractDatetime
    html: Annotated[str | None, Field(json_schema_extra=EXTENSION)]
    html_link: str
    organization: OrganizationReference | None
    title: str
    translations: list[Translation]
    type: str
    version: str


class ServiceDocumentResource(Resource[ServiceDocumentAttributes]):
    type: Literal["service-documents"] = "service-documents"


class ServiceDocumentDocument(Single[ServiceDocumentResource]):
    """Answers creation and detail."""


class ServiceDocumentList(Listing[ServiceDocumentResource]):
    """Answers GET /v1/service-documents/."""
