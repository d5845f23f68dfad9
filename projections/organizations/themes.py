"""Themes of organizations (inline)."""

from domain.organizations.themes import DomainTaken, Theme
from domain.people.login_names import folded
from projections.core.records import RecordTable
from projections.core.visibility import READS_THEMES

THEMES = RecordTable(
    "themes",
    Theme,
    DomainTaken,
    order="r.domain, r.id",
    visible=READS_THEMES,
    derived=lambda fields: {"support_email_key": folded(fields.support_email)},
)
