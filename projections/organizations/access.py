"""Whose organizations' roles and members somebody lists: conditions on an organization, as the engine decides it."""

from typing import Literal

Reads = Literal["all", "active", "own"]
"""Which organizations somebody reads: all, all that are active (staff), or those that he works in."""

READABLE: dict[Reads, str] = {
    "all": "true",
    "active": "{0} IN (SELECT organization_id FROM access_organizations WHERE active)",
    "own": """{0} IN (
        SELECT o.organization_id FROM organization_users o JOIN access_organizations a USING (organization_id)
        WHERE o.user_id = %(caller)s AND o.provider AND a.active)""",
}
"""The condition on the organization `{0}`; `caller` is a parameter."""
