"""Which values the field types take (rulings D6, D8, D17, F14)."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import TypeAdapter

from api.documents import fields
from tests.api.documents.violations import ANN, BOB, complaints

TAKEN = [
    (fields.UuidText, ANN),
    (fields.UuidText, ANN.upper()),
    (fields.Name, "a" * 255),
    (fields.Name, f"  {'a' * 255}  "),
    (fields.Name, "Zoë 🩺"),
    (fields.Tag, "a" * 127),
    (fields.Tags, [str(number) for number in range(50)]),
    (fields.Slug, "a"),
    (fields.Slug, "clinic-2"),
    (fields.Slug, "a" * 63),
    (fields.Timezone, "Europe/Paris"),
    (fields.Timezone, "UTC"),
    (fields.PhoneText, "+15555550100"),
    (fields.DateText, "2026-02-28"),
    (fields.RosterIds, []),
    (fields.EmailText, "ann@clinic.example"),
    (fields.EmailText, "ann.o'neil+x@clinic.test"),
    (fields.EmailText, "ann@host.local"),
    (fields.EmailText, "Ann@Clinic.Example"),
    (fields.EmailText, '"ann b"@clinic.example'),
    (fields.EmailText, "zoë@clinic.example"),
    (fields.EmailText, f"{'a' * 64}@clinic.example"),
]

REFUSED = [
    (fields.UuidText, ANN.replace("-", "")),
    (fields.UuidText, f"{{{ANN}}}"),
    (fields.UuidText, f"urn:uuid:{ANN}"),
    (fields.UuidText, f"{ANN}\n"),
    (fields.UuidText, 1),
    (fields.UuidText, None),
    (fields.Name, ""),
    (fields.Name, " \t\n"),
    (fields.Name, "a" * 256),
    (fields.Name, "nul\0"),
    (fields.Name, "lone \ud800"),
    (fields.Name, 1),
    (fields.Name, True),
    (fields.Tag, ""),
    (fields.Tag, "a" * 128),
    (fields.Tags, [str(number) for number in range(51)]),
    (fields.Tags, "tag"),
    (fields.Slug, "-a"),
    (fields.Slug, "a-"),
    (fields.Slug, "Clinic"),
    (fields.Slug, "a" * 64),
    (fields.Slug, ""),
    (fields.Slug, "a\n"),
    (fields.Timezone, "Mars/Olympus"),
    (fields.Timezone, "../etc/passwd"),
    (fields.Timezone, ""),
    (fields.PhoneText, "15555550100"),
    (fields.PhoneText, "+05555550100"),
    (fields.PhoneText, "+1 555 555 0100"),
    (fields.DateText, "2026-02-30"),
    (fields.DateText, "20260228"),
    (fields.DateText, "2026-02-28T00:00:00"),
    (fields.DateText, "0"),
    (fields.RosterIds, [ANN] * 10_001),
    (fields.SomeRosterIds, []),
    (fields.SomeRosterEmails, ["nobody"]),
    (fields.EmailText, "nobody"),
    (fields.EmailText, "ann@"),
    (fields.EmailText, "@clinic.example"),
    (fields.EmailText, "ann@localhost"),
    (fields.EmailText, "ann b@clinic.example"),
    (fields.EmailText, "ann..b@clinic.example"),
    (fields.EmailText, "Ann <ann@clinic.example>"),
    (fields.EmailText, "ann@clinic.example\n"),
    (fields.EmailText, "ann@-clinic.example"),
    (fields.EmailText, f"{'a' * 65}@clinic.example"),
    (fields.EmailText, f"ann@{'a' * 64}.example"),
    (fields.EmailText, f"ann@{'a.' * 125}example"),
    (fields.EmailText, "ann\0@clinic.example"),
    (fields.EmailText, None),
    (fields.Secret, "a" * 256),
    (fields.Secret, "nul\0"),
    (fields.Secret, "\ud800"),
    (fields.Secret, 12345678),
]


@pytest.mark.parametrize(("kind", "value"), TAKEN)
def test_a_good_value_is_taken(kind: Any, value: Any) -> None:
    assert complaints(kind, value) == []


@pytest.mark.parametrize(("kind", "value"), REFUSED)
def test_a_bad_value_is_refused(kind: Any, value: Any) -> None:
    assert len(complaints(kind, value)) == 1


def test_a_name_loses_its_surrounding_blanks_and_nothing_else() -> None:
    assert TypeAdapter(fields.Name).validate_python("  Ann  Lee ") == "Ann  Lee"


def test_an_address_is_kept_as_it_was_given() -> None:
    assert TypeAdapter(fields.EmailText).validate_python("Ann.Lee@Clinic.EXAMPLE") == "Ann.Lee@Clinic.EXAMPLE"


def test_repeated_ids_are_folded_in_their_order() -> None:
    ids = TypeAdapter(fields.RosterIds).validate_python([BOB, ANN, BOB.upper()])
    assert [str(one) for one in ids] == [BOB, ANN]


def test_repeated_addresses_are_folded_in_any_case() -> None:
    emails = TypeAdapter(fields.SomeRosterEmails).validate_python(["b@x.org", "a@x.org", "B@X.org"])
    assert emails == ("b@x.org", "a@x.org")


def test_a_secret_shows_neither_in_its_text_nor_in_its_error() -> None:
    secret = TypeAdapter(fields.Secret).validate_python("correct horse")
    assert "horse" not in f"{secret} {secret!r}"
    assert secret.get_secret_value() == "correct horse"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-01-02 03:04:05", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02t03:04:05.678z", datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)),
        ("2026-01-02T03:04:05.123456789+02:00", datetime(2026, 1, 2, 1, 4, 5, 123456, tzinfo=UTC)),
    ],
)
def test_a_datetime_is_contract_form_or_rfc_3339(text: str, said: datetime) -> None:
    assert fields.moment(text) == said


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-02",
        "2026-01-02T03:04",
        "2026-01-02T03:04:05 02:00",
        "2026-02-30T00:00:00Z",
        "2026-01-02T25:00:00Z",
        "0001-01-01T00:00:00+02:00",
        "20260102T030405Z",
        "1767323045",
        "now",
        "",
    ],
)
def test_other_text_is_no_datetime(text: str) -> None:
    with pytest.raises(ValueError, match=r"datetime|isoformat|day|hour|month"):
        fields.moment(text)


@pytest.mark.parametrize(
    "time",
    [
        datetime(2026, 1, 2, 3, 4, 5, 999_999, tzinfo=UTC),
        datetime(2026, 1, 2, 5, 4, 5, 1, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_an_answered_time_is_utc_with_its_fraction_cut_off(time: datetime) -> None:
    assert TypeAdapter(fields.ContractDatetime).dump_python(time) == "2026-01-02 03:04:05"
