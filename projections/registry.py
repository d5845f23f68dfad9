"""The only list of projections. A new one is one line here and its tables in migrations/."""

from collections.abc import Iterable
from functools import cache

from domain.core.ports import Lookup
from projections.access.authorization import AuthorizationProjection
from projections.access.role_users import RoleUsersProjection
from projections.access.roles import RolesProjection
from projections.core.projection import Event, Projection
from projections.groups.groups import GroupsProjection
from projections.groups.logs import GroupLogsProjection
from projections.groups.tasks import TasksProjection
from projections.onboarding.invitations import InvitationsProjection
from projections.onboarding.requests import OpenOnboardingRequestsProjection
from projections.organizations.email_templates import EMAIL_TEMPLATES
from projections.organizations.general_messages import GENERAL_MESSAGES
from projections.organizations.names import OrganizationNamesProjection
from projections.organizations.organizations import OrganizationsProjection
from projections.organizations.sms_templates import SMS_TEMPLATES
from projections.organizations.themes import THEMES
from projections.people.identifiers import IdentifiersProjection
from projections.people.user_replications import UserReplicationsProjection
from projections.people.users import UsersProjection
from projections.sessions.sessions import SessionEndsProjection, SessionsProjection


def inline(lookup: Lookup) -> list[Projection]:
    """Applied in the transaction of every append to the identity log, in this order."""
    return [
        AuthorizationProjection(),
        IdentifiersProjection(lookup),
        OpenOnboardingRequestsProjection(lookup),
        SessionEndsProjection(),
        OrganizationNamesProjection(),
        RoleUsersProjection(),
        THEMES,
        SMS_TEMPLATES,
        EMAIL_TEMPLATES,
        GENERAL_MESSAGES,
    ]


def inline_of_sessions() -> list[Projection]:
    """Applied in the transaction of every append to the sessions log."""
    return [SessionsProjection()]


def background() -> list[Projection]:
    """Applied behind the identity log by the projectors."""
    return [
        UsersProjection(),
        OrganizationsProjection(),
        RolesProjection(),
        UserReplicationsProjection(),
        GroupsProjection(),
        GroupLogsProjection(),
        TasksProjection(),
        InvitationsProjection(),
    ]


def background_names(kinds: Iterable[type[Event]] | None = None) -> frozenset[str]:
    """Return the names of the background projections that look at events of these kinds; of all without kinds."""
    if kinds is None:
        return frozenset(each.name for each in background())
    return frozenset(name for kind in kinds for name, events in _background_events() if issubclass(kind, events))


@cache
def _background_events() -> list[tuple[str, tuple[type[Event], ...]]]:
    return [(each.name, (Event,) if each.events is None else each.events) for each in background()]
