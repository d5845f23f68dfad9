"""All commands of the service. Importing this module loads all event classes, which resolves their topics."""

from datetime import timedelta

from domain.access.role_users import RoleUsers
from domain.core.permissions import Permissions
from domain.core.ports import Access, Store
from domain.core.records import Records
from domain.groups.commands import Groups
from domain.groups.moves import GroupMoves
from domain.groups.roster_commands import Rosters
from domain.onboarding.agreements import Agreements
from domain.onboarding.claims import Claims
from domain.onboarding.commands import KnownAddresses, OnboardingRequests
from domain.onboarding.invitation_reports import InvitationReports
from domain.onboarding.referral_codes import ReferralCodes
from domain.onboarding.referral_sign_ups import ReferralSignUps
from domain.onboarding.registration_invitations import RegistrationInvitations
from domain.onboarding.request_changes import RequestChanges, Resends
from domain.onboarding.request_permissions import OnboardingPermissions
from domain.onboarding.service_documents import ServiceDocument, ServiceDocumentOwner
from domain.organizations.email_templates import EmailTemplate
from domain.organizations.enrollment import EnrollmentSchemas
from domain.organizations.enrollment_codes import OrganizationCodes
from domain.organizations.general_messages import GeneralMessage
from domain.organizations.memberships import Memberships
from domain.organizations.organizations import Organizations
from domain.organizations.ownership import OrganizationOwner
from domain.organizations.sms_templates import SmsTemplate
from domain.organizations.themes import Theme, ThemeOwner
from domain.people.account_codes import AccountCodes
from domain.people.confirmations import Confirmations
from domain.people.directory import Directory
from domain.people.individual_commands import Individuals
from domain.people.login_attempts import Attempts
from domain.people.own_password import OwnPassword
from domain.people.password_changes import PasswordChanges
from domain.people.password_resets import PasswordResets
from domain.people.passwords import PasswordPolicy
from domain.people.sign_ups import SignUps
from domain.people.totp import OneTimeCodes
from domain.people.totp_commands import Totp
from domain.people.user_changes import UserChanges
from domain.people.user_commands import Users
from domain.people.user_replications import UserReplications
from domain.people.verification_codes import CodeCheck
from domain.sessions.anonymous_calls import AnonymousAccesses, ProxiedCallLimit, ProxiedServices
from domain.sessions.commands import LiveSessions, Sessions
from domain.sessions.impersonation_requests import ImpersonationRequests
from domain.sessions.service_accounts import ServiceAccounts
from domain.sessions.signing_keys import SigningKeys
from domain.sessions.switching import OrganizationSwitches
from domain.sessions.synthetic_user_tokens import SyntheticUserTokens


class Identity:
    """The commands of each resource: `await identity.rosters.add_users(...)`."""

    def __init__(
        self,
        store: Store,
        session_store: Store,
        *,
        access: Access,
        directory: Directory,
        password_policy: PasswordPolicy,
        attempts: Attempts,
        live_sessions: LiveSessions,
        one_time_codes: OneTimeCodes,
        proxied_services: ProxiedServices,
        proxied_calls: ProxiedCallLimit,
        known_addresses: KnownAddresses,
        resends: Resends,
        referral_codes: ReferralCodes,
        code_checks: CodeCheck,
        fresh_login: timedelta,
        enrollment_schemas: EnrollmentSchemas,
    ) -> None:
        self.store = store
        self.permissions = permissions = Permissions(access)
        organization_owner = OrganizationOwner(store, permissions)
        self.groups = Groups(store, directory, permissions)
        self.group_moves = GroupMoves(store, permissions)
        self.rosters = Rosters(store, directory, permissions)
        self.organizations = Organizations(store, permissions)
        self.themes = Records(Theme, store, ThemeOwner())
        self.sms_templates = Records(SmsTemplate, store, organization_owner)
        self.email_templates = Records(EmailTemplate, store, organization_owner)
        self.general_messages = Records(GeneralMessage, store, organization_owner)
        self.organization_codes = OrganizationCodes(store, permissions, enrollment_schemas)
        self.memberships = Memberships(store, directory, permissions)
        self.role_users = RoleUsers(store, directory, permissions)
        self.password_policy = password_policy
        self.individuals = Individuals(store, directory, permissions)
        self.user_replications = UserReplications(store)
        self.users = Users(store, permissions)
        self.onboarding_requests = OnboardingRequests(
            store, directory, permissions, password_policy, known_addresses, referral_codes, code_checks
        )
        self.onboarding_permissions = OnboardingPermissions(store, permissions)
        self.request_changes = RequestChanges(store, directory, permissions, resends, referral_codes)
        self.invitation_reports = InvitationReports(store, directory)
        self.claims = Claims(store, directory, permissions)
        accounts = AccountCodes(store, directory, code_checks)
        self.user_changes = UserChanges(store, directory, permissions, accounts, fresh_login)
        own_password = OwnPassword(password_policy.passwords, attempts)
        self.password_changes = PasswordChanges(store, permissions, password_policy, own_password)
        self.confirmations = Confirmations(store, accounts, self.claims)
        self.agreements = Agreements(store, directory, permissions)
        self.referral_sign_ups = ReferralSignUps(store, accounts, self.claims, self.agreements, password_policy)
        self.password_resets = PasswordResets(store, accounts, password_policy, self.claims)
        self.registration_invitations = RegistrationInvitations(store, directory, permissions)
        self.service_documents = Records(ServiceDocument, store, ServiceDocumentOwner(store))
        self.signing_keys = SigningKeys(store)
        self.sign_ups = SignUps(store, directory, password_policy, enrollment_schemas, self.agreements, code_checks)
        self.service_accounts = ServiceAccounts(store)
        self.impersonation_requests = ImpersonationRequests(store, session_store)
        self.synthetic_user_tokens = SyntheticUserTokens(store, session_store)
        self.anonymous_accesses = AnonymousAccesses(store, session_store, permissions, proxied_services, proxied_calls)
        self.organization_switches = OrganizationSwitches(store, session_store, permissions)
        self.totp = Totp(store, session_store, directory, own_password, one_time_codes)
        self.sessions = Sessions(
            store,
            session_store,
            directory,
            password_policy.passwords,
            attempts,
            live_sessions,
            one_time_codes,
            self.agreements,
        )
