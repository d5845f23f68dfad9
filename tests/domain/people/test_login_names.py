"""How names are compared (rulings O2 and O5)."""

import pytest

from domain.core.errors import Invalid
from domain.people.login_names import (
    ForeignUserName,
    UnusableUserName,
    address_domain,
    email_key,
    finding_names,
    is_blank,
    names_of,
    parse_login_name,
    require_usable_username,
)


@pytest.mark.parametrize(
    ("names", "are_one"),
    [
        (("Ann@People.Test", "ann@people.test"), True),
        (("ann@bücher.test", "ANN@XN--BCHER-KVA.test"), True),
        (("ann@BU\u0308CHER.test", "ann@bücher.test"), True),
        (("zoe\u0308@a.test", "ZO\u00cb@a.test"), True),
        (("+1 (650) 555-0100", "+16505550100"), True),
        (("Zoe\u0308", "ZOË"), True),
        ((" ann ", "Ann"), True),
        (("straße", "strasse"), False),
        (("\u017fam", "sam"), False),
        (("ﬁn", "fin"), False),
        (("straße@a.test", "strasse@a.test"), False),
        (("ann@faß.test", "ann@fass.test"), False),
        (("\u0131sp\u0131rto", "ISPIRTO"), False),
        (("ann@a.test", "ann@b.test"), False),
    ],
    ids=ascii,
)
def test_spellings_of_one_name_are_one_login(names: tuple[str, str], are_one: bool) -> None:
    one, other = names
    assert (parse_login_name(one) == parse_login_name(other)) is are_one


@pytest.mark.parametrize(
    ("typed", "kind"),
    [
        ("ann@people.test", "email"),
        ("ann\uff20people.test", "email"),
        ("+16505550100", "phone"),
        ("\uff0b16505550100", "phone"),
        ("+1", "phone"),
        ("+plus", "username"),
        ("12345", "username"),
        ("ann", "username"),
    ],
    ids=ascii,
)
def test_the_form_tells_the_kind(typed: str, kind: str) -> None:
    assert parse_login_name(typed).kind == kind


def test_a_name_of_one_kind_is_never_one_of_another() -> None:
    names = names_of("ann@people.test", "+16505550100", "ann")
    assert [name.kind for name in names] == ["email", "phone", "username"]
    assert names_of("ann@people.test", None, "Ann@people.test") == names_of("ann@people.test", None, None)


def test_a_user_name_finds_only_where_there_is_no_contact() -> None:
    assert [name.kind for name in finding_names("ann@people.test", "+16505550100", "ann")] == ["email", "phone"]
    assert [name.kind for name in finding_names(None, None, "ann")] == ["username"]


@pytest.mark.parametrize("username", ["ANN@people.test", "+1 650 555 0100", "ann", "Zoe\u0308", "李雷"], ids=ascii)
def test_user_names_that_are_accepted(username: str) -> None:
    require_usable_username(username, "ann@people.test", "+16505550100")


@pytest.mark.parametrize(
    ("username", "refusal"),
    [
        ("bob@people.test", ForeignUserName),
        ("@", ForeignUserName),
        ("+16505550199", ForeignUserName),
        ("a n", UnusableUserName),
        ("a\u2066n", UnusableUserName),
        ("a\u115fn", UnusableUserName),
        ("a\u0378n", UnusableUserName),
        ("a\tn", UnusableUserName),
    ],
    ids=ascii,
)
def test_user_names_that_are_refused(username: str, refusal: type[Invalid]) -> None:
    with pytest.raises(refusal) as refused:
        require_usable_username(username, "ann@people.test", "+16505550100")
    assert refused.value.argument == "username"


@pytest.mark.parametrize("domain", ["xn--.test", "a\u200db.test", "-ä.test", "ä" * 64 + ".test"], ids=ascii)
def test_a_domain_that_is_none(domain: str) -> None:
    with pytest.raises(Invalid):
        address_domain(domain)
    assert email_key(f"Ann@{domain}") == f"ann@{domain}"  # it finds no user, and no lookup fails


@pytest.mark.parametrize(
    ("text", "blank"),
    [("", True), (" \t", True), ("\u200b\u2800", True), ("\u3164", True), ("\u0378", True), ("a", False), ("é", False)],
    ids=ascii,
)
def test_invisible_characters_are_blank(text: str, blank: bool) -> None:
    assert is_blank(text) is blank
