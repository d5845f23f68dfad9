"""The life of an onboarding request. The command's rules are proven over HTTP."""

from typing import Any
from uuid import UUID, uuid4

from domain.core.personal import revealed
from domain.onboarding.invitations import Contacts, Invitation
from domain.onboarding.requests import OnboardingRequest


def a_request(user_id: UUID | None = None, *, new_user: bool = True, **changes: Any) -> OnboardingRequest:
    given = Invitation(uuid4(), "patient", Contacts("ann@people.test"), notifications=[])._replace(**changes)
    return OnboardingRequest.open(uuid4(), given, user_id or uuid4(), new_user=new_user, created_by=None)


def test_it_goes_from_created_over_registering_to_claimed() -> None:
    request, user, individual = a_request(), uuid4(), uuid4()
    assert (request.status, request.done) == ("created", False)
    request.register()
    assert (request.status, request.done) == ("registering", False)
    assert request.registering_at == request.pending_events[-1].timestamp
    request.claim(user, individual)
    assert (request.status, request.done) == ("claimed", True)
    assert (request.claimed_by, request.individual_id) == (user, individual)
    assert request.claimed_at == request.pending_events[-1].timestamp


def test_the_last_sign_up_counts() -> None:
    request = a_request()
    request.register()
    first = request.registering_at
    request.register()
    assert request.registering_at != first


def test_nothing_is_recorded_after_the_claim() -> None:
    request = a_request()
    request.register()
    request.claim(uuid4(), uuid4())
    first = request.claimed_by
    request.claim(uuid4(), uuid4())
    request.register()
    assert len(request.pending_events) == 3
    assert request.claimed_by == first


def test_contacts_belong_to_the_person_and_are_never_shown() -> None:
    user = uuid4()
    request = a_request(
        user, contacts=Contacts("ann@people.test", "+16505550100"), communication_preferences='{"email": {}}'
    )
    assert request.names.email is not None
    assert request.names.email.subject == user
    assert revealed(request.names.phone) == "+16505550100"
    assert "ann@" not in repr(request.pending_events)


def test_it_comes_back_from_its_events() -> None:
    request = a_request()
    request.register()
    request.claim(uuid4(), uuid4())
    again: OnboardingRequest | None = None
    for event in request.collect_events():
        again = event.mutate(again)
    assert again is not None
    assert (again.status, again.claimed_by, again.registering_at) == (
        request.status,
        request.claimed_by,
        request.registering_at,
    )
