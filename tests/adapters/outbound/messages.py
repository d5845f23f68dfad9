"""Messages to send."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from domain.core.messages import Message

EMAIL = Message(
    id=UUID(int=1),
    channel="email",
    to="ann@people.test",
    template="onboarding",
    locale="en_US",
    subject="Grüße from North Clinic",
    text="Your code: ABCD\n",
    html="<p>Your code: ABCD</p>\n",
    code="ABCD",
    link="https://care.test/sign-up?referral-code=ABCD",
    user_id=UUID(int=2),
    organization_id=UUID(int=3),
    created_at=datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC),
)
SMS = replace(EMAIL, channel="sms", to="+12125550123", subject=None, html=None)


def an_email(**changes: Any) -> Message:
    return replace(EMAIL, **changes)
