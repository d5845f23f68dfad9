"""Which values the field types take (rulings D6, D8, D17, F14, K42)."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import TypeAdapter

from api.documents import addresses, fields, times
from tests.api.documents.violations import ANN, BOB, complaints

TAKEN: list[tuple[Any, list[Any]]] = [
    (fields.UuidText, [ANN, ANN.upper()]),
    (fields.Name, ["a" * 255, f"  {'a' * 255}  ", "Zoë 🩺"]),
    (fields.Tag, ["a" * 127]),
    (fields.Tags, [[str(number) for number in range(50)]]),
    (fields.Slug, ["a", "clinic-2", "a" * 63]),
    (times.Timezone, ["Europe/Paris", "UTC"]),
    (fields.PhoneText, ["+15555550100"]),
    (times.DateText, ["2026-02-28"]),
    (fields.RosterIds, [[]]),
    (
        addresses.EmailText,
        [
            "ann@clinic.example",
            "ann.o'neil+x@clinic.test",
            "ann@host.local",
            "Ann@Clinic.Example",
            '"ann b"@clinic.example',
            "zoë@clinic.example",
            f"{'a' * 64}@clinic.example",
        ],
    ),
]

SEVERAL_LINES = [f"a{separator}b" for separator in "\n\r\v\f\t\x1b\x1c\x1d\x1e\x7f\x85\u2028\u2029"]

REFUSED: list[tuple[Any, list[Any]]] = [
    (fields.UuidText, [ANN.replace("-", ""), f"{{{ANN}}}", f"urn:uuid:{ANN}", f"{ANN}\n", 1, None]),
    (fields.Name, ["", " \t\n", "a" * 256, "nul\0", "lone \ud800", 1, True, *SEVERAL_LINES]),
    (fields.MailSubject, ["", "a" * 256, "nul\0", *SEVERAL_LINES]),
    (fields.MailboxName, ["a" * 256, "nul\0", *SEVERAL_LINES]),
    (fields.Tag, ["", "a" * 128]),
    (fields.Tags, [[str(number) for number in range(51)], "tag"]),
    (fields.Slug, ["-a", "a-", "Clinic", "a" * 64, "", "a\n"]),
    (times.Timezone, ["Mars/Olympus", "../etc/passwd", ""]),
    (fields.PhoneText, ["15555550100", "+05555550100", "+1 555 555 0100"]),
    (times.DateText, ["2026-02-30", "20260228", "2026-02-28T00:00:00", "0"]),
    (fields.RosterIds, [[ANN] * 10_001]),
    (fields.SomeRosterIds, [[]]),
    (addresses.SomeRosterEmails, [["nobody"]]),
    (
        addresses.EmailText,
        [
            "nobody",
            "ann@",
            "@clinic.example",
            "ann@localhost",
            "ann b@clinic.example",
            "ann..b@clinic.example",
            "Ann <ann@clinic.example>",
            "ann@clinic.example\n",
            "ann@-clinic.example",
            f"{'a' * 65}@clinic.example",
            f"ann@{'a' * 64}.example",
            f"ann@{'a.' * 125}example",
            "ann\0@clinic.example",
            None,
        ],
    ),
    (fields.Secret, ["a" * 256, "nul\0", "\ud800", 12345678]),
]


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in TAKEN for value in values])
def test_a_good_value_is_taken(kind: Any, value: Any) -> None:
    assert complaints(kind, value) == []


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in REFUSED for value in values])
def test_a_bad_value_is_refused(kind: Any, value: Any) -> None:
    assert len(complaints(kind, value)) == 1


def test_a_name_loses_its_surrounding_blanks_and_nothing_else() -> None:
    assert TypeAdapter(fields.Name).validate_python("  Ann  Lee ") == "Ann  Lee"


def test_an_address_is_kept_as_it_was_given() -> None:
    assert TypeAdapter(addresses.EmailText).validate_python("Ann.Lee@Clinic.EXAMPLE") == "Ann.Lee@Clinic.EXAMPLE"


def test_repeated_ids_are_folded_in_their_order() -> None:
    ids = TypeAdapter(fields.RosterIds).validate_python([BOB, ANN, BOB.upper()])
    assert [str(one) for one in ids] == [BOB, ANN]


def test_repeated_addresses_are_folded_in_any_case() -> None:
    emails = TypeAdapter(addresses.SomeRosterEmails).validate_python(["b@x.org", "a@x.org", "B@X.org"])
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
    assert times.moment(text) == said


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
        times.moment(text)


@pytest.mark.parametrize(
    "time",
    [
        datetime(2026, 1, 2, 3, 4, 5, 999_999, tzinfo=UTC),
        datetime(2026, 1, 2, 5, 4, 5, 1, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_an_answered_time_is_utc_with_its_fraction_cut_off(time: datetime) -> None:
    assert TypeAdapter(times.ContractDatetime).dump_python(time) == "2026-01-02 03:04:05"
