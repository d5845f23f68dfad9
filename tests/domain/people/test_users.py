"""What users decide."""

from uuid import UUID, uuid4

import pytest

from domain.access.roles import ORGANIZATION_ADMIN, LastAdmin, Role, role_id
from domain.core.errors import DomainError
from domain.core.personal import Personal, revealed
from domain.people.login_names import normal_login, parse_login_name
from domain.people.user_commands import NotYourProvider, NotYourself
from domain.people.users import (
    ProvisionalUser,
    User,
    UserArchived,
    UserNotFound,
    VerifiedUser,
)
from tests.support.world.memory import MemoryWorld
from tests.support.world.people import a_user
from tests.support.world.principals import a_principal, a_system_administrator


class Clinic(MemoryWorld):
    """An organization with an administrator."""

    def __init__(self) -> None:
        super().__init__()
        self.organization = uuid4()
        self.administrator(self.organization)

    async def provider(self, *further: UUID, roles: tuple[str, ...] = ()) -> User:
        user = a_user()
        for organization in (self.organization, *further):
            user.join(organization)
        await self.store.save(user)
        for name in roles:
            role = await self.store.find(Role, role_id(self.organization, name))
            role = role or Role.create(self.organization, name, name)
            role.grant(user.id, live=True)
            await self.store.save(role)
        return user

    async def disable(self, user: User, by: UUID | None = None, *, system: bool = False) -> User:
        principal = a_principal(by or self.admin, system=system)
        self.grants.let_read(principal.user_id, user.id)
        found, _ = await self.users.disable(principal, user.id)
        return found

    async def enable(self, user: User, by: UUID | None = None) -> User:
        principal = a_principal(by or self.admin)
        self.grants.let_read(principal.user_id, user.id)
        found, _ = await self.users.enable(principal, user.id)
        return found


def archived(user: User) -> User:
    user.archived = True
    return user


def test_states_follow_from_facts() -> None:
    user = a_user(live=False)
    states = [user.state]
    user.disable()
    states.append(user.state)
    user.enable()
    user.set_password("hash")
    states.append(user.state)
    user.disable()
    states.append(user.state)
    user.enable()
    user.confirm()
    states.append(user.state)
    user.disable()
    states.append(user.state)
    assert states == ["init", "registered_disabled", "registered", "registered_disabled", "confirmed", "disabled"]
    assert not user.live
    user.enable()
    user.reset_required = True
    assert (user.state, user.live) == ("force_reset_password", True)
    assert archived(user).state == "archived"


def test_repeating_records_nothing() -> None:
    user = a_user(email="a@p.test")
    user.disable()
    user.set_communication_preferences("{}")
    user.join(organization := uuid4())
    before = len(user.pending_events)
    user.disable()
    user.confirm()
    user.set_communication_preferences("{}")
    user.join(organization)
    user.leave(uuid4())
    assert len(user.pending_events) == before


def test_an_archived_user_cannot_be_changed() -> None:
    for change in (User.disable, User.enable, lambda user: user.set_password("x"), lambda user: user.join(uuid4())):
        with pytest.raises(UserArchived):
            change(archived(a_user()))


def test_a_membership_counts_from_the_moment_of_joining() -> None:
    user, organization = a_user(), uuid4()
    user.join(organization)
    assert user.organizations[organization] == user.pending_events[-1].timestamp


def test_the_current_organization_is_the_default_else_the_oldest() -> None:
    user, first, second = a_user(), uuid4(), uuid4()
    assert user.current_organization is None
    user.join(first)
    user.join(second)
    assert user.current_organization == first
    user._default_organization_changed(second)
    assert user.current_organization == second
    user.leave(second)
    assert (user.current_organization, user.default_organization_id) == (first, first)  # type: ignore[comparison-overlap]  # mypy holds on to None
    user.leave(first)
    assert (user.current_organization, user.default_organization_id) == (None, None)


def test_personal_values_are_wrapped_and_never_printed() -> None:
    user = a_user(email="ann@people.test")
    assert isinstance(user.names.email, Personal)
    assert revealed(user.names.email) == "ann@people.test"
    assert "ann@" not in repr(user.pending_events)
    assert "hashed" not in repr(user.pending_events)


def test_names_are_compared_without_case_and_blanks() -> None:
    meant = {
        "Ann@People.Test": "ann@people.test",
        " ann ": "ann",
        "+1 650-555-0100": "+16505550100",
        "+plus": "+plus",
        "STRASSE": "strasse",
        "Straße": "straße",
    }
    assert {typed: normal_login(typed) for typed in meant} == meant


async def test_an_administrator_disables_and_enables_providers() -> None:
    clinic = Clinic()
    doc = await clinic.provider()
    assert (await clinic.disable(doc)).state == "disabled"
    recorded = len(clinic.store.events)
    await clinic.disable(doc)
    assert len(clinic.store.events) == recorded
    assert (await clinic.enable(doc)).state == "confirmed"


async def test_only_administrators_of_all_organizations_disable_a_provider() -> None:
    clinic = Clinic()
    elsewhere, participant = await clinic.provider(uuid4()), a_user()
    await clinic.store.save(participant)
    for user in (elsewhere, participant):
        with pytest.raises(NotYourProvider):
            await clinic.disable(user)
        assert (await clinic.disable(user, system=True)).state == "disabled"
        with pytest.raises(NotYourProvider):
            await clinic.enable(user)


async def test_no_user_disables_their_own_account() -> None:
    clinic = Clinic()
    admin = await clinic.provider(roles=(ORGANIZATION_ADMIN,))
    clinic.grants.allow(admin.id, clinic.organization, "write")
    with pytest.raises(NotYourself):
        await clinic.disable(admin, by=admin.id)


async def test_the_last_live_administrator_stays() -> None:
    clinic = Clinic()
    first, second = [await clinic.provider(roles=(ORGANIZATION_ADMIN,)) for _ in range(2)]
    await clinic.disable(second)
    with pytest.raises(LastAdmin):
        await clinic.disable(first, system=True)
    await clinic.enable(second)
    await clinic.disable(first)
    role = await clinic.store.get(Role, role_id(clinic.organization, ORGANIZATION_ADMIN))
    assert role.holders == {first.id: False, second.id: True}


async def test_one_of_two_administrators_disabled_concurrently_stays() -> None:
    clinic = Clinic()
    first, second = [await clinic.provider(roles=(ORGANIZATION_ADMIN,)) for _ in range(2)]

    async def meanwhile() -> None:
        await clinic.disable(second)

    clinic.store.meanwhile = meanwhile
    with pytest.raises(LastAdmin):
        await clinic.disable(first)


@pytest.mark.parametrize("enabled", [False, True])
async def test_a_role_granted_while_disabling_counts_the_final_state(*, enabled: bool) -> None:
    clinic = Clinic()
    await clinic.provider(roles=(ORGANIZATION_ADMIN,))
    doc = await clinic.provider()
    if enabled:
        doc = await clinic.disable(doc)

    async def meanwhile() -> None:
        role = await clinic.store.get(Role, role_id(clinic.organization, ORGANIZATION_ADMIN))
        role.grant(doc.id, live=doc.live)
        await clinic.store.save(role)

    clinic.store.meanwhile = meanwhile
    await (clinic.enable(doc) if enabled else clinic.disable(doc))
    role = await clinic.store.get(Role, role_id(clinic.organization, ORGANIZATION_ADMIN))
    assert role.holders[doc.id] is enabled


async def test_services_and_strangers_are_not_found() -> None:
    clinic, service = Clinic(), a_user(kind="service")
    await clinic.store.save(service)
    for user_id in (service.id, uuid4()):
        clinic.grants.let_read(clinic.admin, user_id)
        with pytest.raises(UserNotFound) as refusal:
            await clinic.users.disable(a_system_administrator(clinic.admin), user_id)
        assert isinstance(refusal.value, DomainError)


def a_provisional_user(organization: UUID, **names: str) -> User:
    user = User.create(uuid4(), classification="customer", individual_id=uuid4(), provisional_in=organization, **names)  # type: ignore[arg-type]  # the names of `create`
    user.set_password("planted")
    user.confirm()
    return user


def test_a_user_is_provisional_until_a_contact_is_verified() -> None:
    organization = uuid4()
    for verified in ({"email_verified": True}, {"phone_verified": True}):
        user = User.create(uuid4(), classification="customer", individual_id=uuid4(), provisional_in=organization)
        assert user.provisional
        user.confirm(**verified)
        assert not user.provisional
    assert a_provisional_user(organization).provisional
    assert not a_user(email="a@p.test").provisional


def test_a_provisional_user_counts_in_one_organization() -> None:
    user = a_provisional_user(organization := uuid4())
    user.require_not_limited_to_another(organization)
    with pytest.raises(ProvisionalUser):
        user.require_not_limited_to_another(uuid4())
    a_user().require_not_limited_to_another(uuid4())


def test_taking_over_replaces_names_and_password() -> None:
    user = a_provisional_user(uuid4(), email="victim@people.test", phone="+16505550100", username="planted")
    user.take_over(
        email="Victim@people.test", phone=None, username=None, password_hash="chosen", email_verified=True
    )  # fmt: skip
    names = [revealed(each) for each in (user.names.email, user.names.phone, user.names.username, user.password_hash)]
    assert names == ["Victim@people.test", None, None, "chosen"]
    assert (user.provisional, user.email_verified, user.live) == (False, True, True)


def test_a_code_sent_to_the_contact_takes_over_too() -> None:
    """What a sign-up with a referral code and confirm-forgot-password do: the names stay, the code proves a contact."""
    user = a_provisional_user(uuid4(), phone="+16505550100", username="ann")
    user.take_over(
        email=None, phone="+16505550100", username="ann", password_hash="chosen", phone_verified=True
    )  # fmt: skip
    assert (user.provisional, user.phone_verified, user.login_name) == (False, True, "ann")


def test_the_choice_of_a_contact_as_login_name_ends_with_the_names() -> None:
    user = a_provisional_user(uuid4(), email="victim@people.test", phone="+16505550100")
    user.choose_login_names(user.names, "phone")
    user.take_over(email="ann@people.test", phone="+16505550100", username=None, password_hash=None)
    assert user.login_name == "ann@people.test"


def test_without_a_password_given_the_old_one_is_gone() -> None:
    user = a_provisional_user(uuid4(), email="victim@people.test")
    user.take_over(email="victim@people.test", phone=None, username=None, password_hash=None, email_verified=True)
    assert user.password_hash is None
    assert user.provisional is False


def test_a_verified_account_cannot_be_taken_over() -> None:
    user = a_user(email="ann@people.test")
    with pytest.raises(VerifiedUser):
        user.take_over(email="ann@people.test", phone=None, username=None, password_hash="chosen")
    assert revealed(user.password_hash) == "hashed"


def test_names_that_another_user_proved_are_released() -> None:
    user = a_provisional_user(uuid4(), email="ann@people.test", phone="+16505550100", username="Ann@people.test")
    user.release_login_names([parse_login_name("ANN@people.test")])
    assert user.names.revealed == (None, "+16505550100", None)
    before = len(user.pending_events)
    user.release_login_names([parse_login_name("ann@people.test")])
    assert len(user.pending_events) == before
