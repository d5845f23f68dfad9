"""Text message templates of organizations and themes (inline)."""

from domain.organizations.sms_templates import SmsTemplate, SmsTemplateExists
from projections.core.records import RecordTable
from projections.core.visibility import READS_RECORDS

SMS_TEMPLATES = RecordTable(
    "sms_templates", SmsTemplate, SmsTemplateExists, order="r.type, r.locale, r.id", visible=READS_RECORDS
)
