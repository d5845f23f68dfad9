"""General messages of organizations (inline)."""

from domain.organizations.general_messages import GeneralMessage, GeneralMessageExists
from projections.core.records import RecordTable
from projections.core.visibility import READS_RECORDS

GENERAL_MESSAGES = RecordTable(
    "general_messages", GeneralMessage, GeneralMessageExists, order="r.name, r.locale, r.id", visible=READS_RECORDS
)
