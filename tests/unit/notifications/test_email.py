"""What travels: one Message-ID per notification, and headers that nobody's name can write into."""

import email
import re
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import default
from uuid import UUID

import pytest

from notifications.email import NAME_LENGTH_LIMIT, RecipientRefused, compose, sender_address
from notifications.formats import one_line
from notifications.rendering import Letter
from web.hosts import host_name

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
NOTIFICATION = UUID("0190f3a0-0000-7000-8000-000000000001")
SENDER = sender_address("billing@example.org", "Йога")
LETTER = Letter("Счёт на 1\u00a0490\u00a0₽", "Привет\n", "<p>Привет</p>")


def travelled(name: str = "Анна", address: str = "anna@example.org", letter: Letter = LETTER) -> EmailMessage:
    composed = compose(letter, NOTIFICATION, SENDER, name, address, NOW)
    message = email.message_from_bytes(bytes(composed), policy=default)
    assert isinstance(message, EmailMessage)
    return message


def test_a_repeat_is_the_same_message() -> None:
    first, second = (bytes(compose(LETTER, NOTIFICATION, SENDER, "Анна", "a@example.org", NOW)) for _ in "12")
    assert first == second
    assert travelled()["Message-ID"] == f"<{NOTIFICATION}@example.org>"


def test_answers_go_where_they_are_read_if_they_are_asked_for() -> None:
    assert travelled()["Reply-To"] is None
    desk = sender_address("hello@yoga.example.org", "Йога")
    asking = compose(LETTER, NOTIFICATION, SENDER, "Анна", "a@example.org", NOW, desk)
    assert str(email.message_from_bytes(bytes(asking), policy=default)["Reply-To"]) == (
        "Йога <hello@yoga.example.org>"
    )


def test_answers_come_to_a_host_that_is_not_of_ascii() -> None:
    desk = sender_address("hello@{host}".replace("{host}", host_name("студия.рф")), "Студия")
    asking = bytes(compose(LETTER, NOTIFICATION, SENDER, "Анна", "a@example.org", NOW, desk))
    assert b"<hello@xn--d1aizef8e.xn--p1ai>" in asking


def test_both_parts_and_the_headers_of_a_machine_are_there() -> None:
    message = travelled()
    assert message.get_content_type() == "multipart/alternative"
    plain, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert plain is not None
    assert html is not None
    assert plain.get_content() == "Привет\r\n"
    assert "<p>Привет</p>" in html.get_content()
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Subject"] == "Счёт на 1 490 ₽"
    assert str(message["From"]) == "Йога <billing@example.org>"


@pytest.mark.parametrize(
    "name",
    [
        "Анна\r\nBcc: all@example.org",
        "Anna\nX-Evil: yes",
        'Anna "the <best>" O\\Brien',
        "Anna, Boris; Vera",
        "=?utf-8?q?=0d=0aBcc:_all@example.org?=",
        "А" * 5_000,
        "\u2028\u2029\x00\x85Anna",
        "",
    ],
)
def test_a_name_cannot_write_headers(name: str) -> None:
    raw = bytes(compose(LETTER, NOTIFICATION, SENDER, name, "anna@example.org", NOW))
    message = travelled(name)
    assert sorted(message.keys()) == sorted(
        ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]
    )
    assert [address.addr_spec for address in message["To"].addresses] == ["anna@example.org"]
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")


def test_a_subject_cannot_write_headers_either() -> None:
    for subject in ("Тариф\r\nBcc: all@example.org\u202e", "=?utf-8?q?=0d=0aBcc:_all@example.org?="):
        message = travelled(letter=Letter(subject, "x\n", "x"))
        assert message["Bcc"] is None
        assert "Bcc:" in message["Subject"]


@pytest.mark.parametrize(
    "address",
    [
        "",
        "anna",
        "anna@",
        "a@b@c",
        "a b@example.org",
        "anna@example.org\r\nBcc: x@y",
        "=?utf-8?q?=0d=0aBcc:_all?=@example.org",
        f"{'a' * 300}@x.org",
    ],
)
def test_an_address_that_is_none_is_refused_before_it_travels(address: str) -> None:
    with pytest.raises(RecipientRefused) as refused:
        travelled(address=address)
    assert refused.value.code == "address_malformed"


def test_an_installation_without_an_address_does_not_start() -> None:
    with pytest.raises(SystemExit, match="MAIL_FROM"):
        sender_address("not an address", "")


def test_one_line_is_one_line_and_no_longer() -> None:
    assert one_line("a\r\n\tb \u200f\u2028 c") == "a b c"
    assert one_line("x" * 300) == "x" * 199 + "…"


@pytest.mark.parametrize(
    "words",
    [
        "Бронирование отменено: «Большой зал», 2 декабря, 18:00",
        "Студия «Синкопа» на Невском проспекте, дом 28",
        "Booking canceled: “Big hall of the old house”, 2 December",
    ],
)
def test_no_space_between_words_is_lost_on_the_way(words: str) -> None:
    message = travelled(name=words[:NAME_LENGTH_LIMIT], letter=Letter(words, "", ""))
    assert message["Subject"] == words
    raw = bytes(compose(LETTER, NOTIFICATION, SENDER, words, "a@example.org", NOW))
    assert str(make_header(decode_header(message_to(raw)))) == f"{words} <a@example.org>"


def message_to(raw: bytes) -> str:
    """The header as it travels, unfolded: the parser of today's standard library splits long names."""
    found = re.search(rb"^To: ([^\r]*(?:\r\n[ \t][^\r]*)*)", raw, re.MULTILINE)
    assert found is not None
    return found[1].replace(b"\r\n", b"").decode("ascii")
