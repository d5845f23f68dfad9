"""The only list of logs and projections. A new one is one line here and its tables in migrations/."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import NamedTuple

from domain.core.logs import IDENTITY
from domain.core.ports import Lookup
from projections.access.authorization import AuthorizationProjection
from projections.access.role_users import RoleUsersProjection
from projections.access.roles import RolesProjection
from projections.core.projection import Event, InlineProjection, Projection
from projections.groups.groups import GroupsProjection
from projections.groups.logs import GroupLogsProjection
from projections.groups.tasks import TasksProjection
from projections.onboarding.agreements import AgreementsProjection
from projections.onboarding.invitations import InvitationsProjection
from projections.onboarding.referral_codes import ReferralCodesProjection
from projections.onboarding.registration_invitations import RegistrationInvitationsProjection
from projections.onboarding.request_lists import OnboardingRequestsProjection
from projections.onboarding.requests import OpenOnboardingRequestsProjection
from projections.onboarding.service_documents import SERVICE_DOCUMENTS
from projections.organizations.email_templates import EMAIL_TEMPLATES
from projections.organizations.enrollment_codes import ORGANIZATION_CODES
from projections.organizations.general_messages import GENERAL_MESSAGES
from projections.organizations.names import OrganizationNamesProjection
from projections.organizations.organizations import OrganizationsProjection
from projections.organizations.sms_templates import SMS_TEMPLATES
from projections.organizations.themes import THEMES
from projections.people.identifiers import IdentifiersProjection
from projections.people.sign_ups import SignUpsProjection
from projections.people.totp import TotpProjection, TotpUsesProjection
from projections.people.user_replications import UserReplicationsProjection
from projections.people.users import UsersProjection
from projections.sessions.impersonation_requests import ImpersonationRequestsProjection
from projections.sessions.sessions import SessionEndsProjection, SessionsProjection


def _inline_of_identity(lookup: Lookup) -> list[InlineProjection]:
    return [
        AuthorizationProjection(),
        IdentifiersProjection(lookup),
        OpenOnboardingRequestsProjection(lookup),
        ReferralCodesProjection(),
        RegistrationInvitationsProjection(lookup),
        SessionEndsProjection(),
        ImpersonationRequestsProjection(),
        OrganizationNamesProjection(),
        RoleUsersProjection(),
        TotpProjection(),
        THEMES,
        SMS_TEMPLATES,
        EMAIL_TEMPLATES,
        GENERAL_MESSAGES,
        ORGANIZATION_CODES,
        SignUpsProjection(),
        SERVICE_DOCUMENTS,
        AgreementsProjection(),
    ]


def _background_of_identity() -> list[Projection]:
    return [
        UsersProjection(),
        OrganizationsProjection(),
        RolesProjection(),
        UserReplicationsProjection(),
        GroupsProjection(),
        GroupLogsProjection(),
        TasksProjection(),
        InvitationsProjection(),
        OnboardingRequestsProjection(),
    ]


class LogProjections(NamedTuple):
    """The projections of a log: inline ones, in the order of their application, and background ones.

    `kept_for` names the setting with the days for which its events are kept, None: for ever. What is forgotten goes
    from the tables in `forgotten` too, by the column that names the stream.
    """

    inline: Callable[[Lookup], list[InlineProjection]]
    background: Callable[[], list[Projection]] = list
    kept_for: str | None = None
    forgotten: Mapping[str, str] = {}


LOGS = {
    IDENTITY: LogProjections(_inline_of_identity, _background_of_identity),
    "sessions": LogProjections(
        lambda _: [SessionsProjection(), TotpUsesProjection()],
        kept_for="session_log_days",
        forgotten={"sessions": "session_id"},
    ),
}
"""All logs by name; each has a row in log_head, and the tables that `domain.core.logs` names."""


def inline(lookup: Lookup, log: str = IDENTITY) -> list[InlineProjection]:
    """Return the projections that are applied in the transaction of every append to the log, in this order."""
    return LOGS[log].inline(lookup)


def background(log: str = IDENTITY) -> list[Projection]:
    """Return the projections that the projectors apply, behind the log."""
    return LOGS[log].background()


def projected_from(log: str) -> list[Projection]:
    """Return all projections of the log, to be described and not to be applied."""
    return [*inline(lambda *_: b"", log), *background(log)]


def background_names(kinds: Iterable[type[Event]] | None = None) -> frozenset[str]:
    """Return the names of the identity log's background projections that look at events of these kinds, or of all."""
    if kinds is None:
        return frozenset(each.name for each in background())
    return frozenset(name for kind in kinds for name, events in _background_events() if issubclass(kind, events))


@cache
def _background_events() -> list[tuple[str, tuple[type[Event], ...]]]:
    return [(each.name, (Event,) if each.events is None else each.events) for each in background()]
