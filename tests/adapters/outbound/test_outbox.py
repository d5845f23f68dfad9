"""The outbox: the format that rulings K35 to K37 and L66 fix."""

import json
from pathlib import Path

import pytest

from adapters.outbound.outbox import Outbox
from domain.core.messages import Mailbox, MessageRefused
from tests.adapters.outbound.messages import EMAIL, SMS, an_email

NAME = "20260304T050607000089Z-email-00000000-0000-0000-0000-000000000001.json"


async def test_an_email_is_one_file_for_its_owner_only(tmp_path: Path) -> None:
    outbox = tmp_path / "outbox"
    for _ in range(2):  # sent twice: the same file
        await Outbox(outbox, "Rollbook <no-reply@rollbook.local>").send(EMAIL)
    (file,) = outbox.iterdir()
    assert file.name == NAME
    assert (outbox.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)
    assert json.loads(file.read_text()) == {
        "id": str(EMAIL.id),
        "kind": "email",
        "to": "ann@people.test",
        "from": "Rollbook <no-reply@rollbook.local>",
        "reply-to": None,
        "template": "onboarding",
        "locale": "en_US",
        "subject": "Grüße from North Clinic",
        "text": "Your code: ABCD\n",
        "html": "<p>Your code: ABCD</p>\n",
        "code": "ABCD",
        "link": "https://care.test/sign-up?referral-code=ABCD",
        "user-id": str(EMAIL.user_id),
        "organization-id": str(EMAIL.organization_id),
        "created-time": "2026-03-04 05:06:07",
    }


async def test_a_folder_that_exists_is_closed_to_others(tmp_path: Path) -> None:
    """Ruling K36."""
    outbox = tmp_path / "outbox"
    outbox.mkdir()
    outbox.chmod(0o755)
    await Outbox(outbox, None).send(EMAIL)
    assert outbox.stat().st_mode & 0o777 == 0o700


async def test_mailboxes_are_written_as_people_read_them(tmp_path: Path) -> None:
    message = an_email(
        sender=Mailbox("help@north.test", "Clínica, North"), reply_to=Mailbox("desk@north.test", "Desk\r\nBcc: x")
    )
    await Outbox(tmp_path, "nobody@x.test").send(message)
    written = json.loads((tmp_path / NAME).read_text())
    assert written["from"] == '"Clínica, North" <help@north.test>'
    assert written["reply-to"] == '"Desk Bcc: x" <desk@north.test>'


async def test_a_text_message_has_neither_subject_nor_html(tmp_path: Path) -> None:
    await Outbox(tmp_path, None).send(SMS)
    written = json.loads((tmp_path / NAME.replace("email", "sms")).read_text())
    assert (written["kind"], written["from"], written["subject"], written["html"]) == ("sms", None, None, None)


async def test_without_a_folder_a_message_fails_visibly() -> None:
    with pytest.raises(MessageRefused, match="no-outbox"):
        await Outbox(None, None).send(EMAIL)


def test_a_message_shows_nothing_of_itself_in_logs() -> None:
    assert "ann" not in repr(EMAIL)
