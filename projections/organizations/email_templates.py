"""E-mail templates of organizations and themes (inline)."""

from domain.organizations.email_templates import EmailTemplate, EmailTemplateExists
from projections.core.records import RecordTable
from projections.core.visibility import READS_RECORDS

EMAIL_TEMPLATES = RecordTable(
    "email_templates",
    EmailTemplate,
    EmailTemplateExists,
    order="r.type, r.locale, r.format, r.id",
    visible=READS_RECORDS,
)
