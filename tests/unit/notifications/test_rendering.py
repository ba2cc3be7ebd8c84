"""Letters say what happens to money and when, in both languages, and nothing in them must be fetched."""

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest

from booking.rules.terms import Tier
from notifications.kinds import KINDS
from notifications.links import read_link
from notifications.money import Money
from notifications.occasions import Occasion, Slot
from notifications.rendering import Letter, render
from notifications.situations import Line
from tests.unit.notifications.situations import (
    BOOKING_ID,
    EXPIRES_AT,
    HALL_ID,
    HOLD_EXPIRES_AT,
    INVOICE_ID,
    KEY,
    LINKS,
    NOTHING,
    NOW,
    PERIOD_END,
    PRICE,
    SLOT,
    SUBSCRIPTION_ID,
    booking,
    letter,
    situation,
)

LANGUAGES = ("ru", "en")
SUM = {"ru": "1\u00a0490\u00a0₽", "en": "RUB\u00a01,490"}
PART = {"ru": "490,50\u00a0₽", "en": "RUB\u00a0490.50"}
# The studio's day, which is already the next one.
ENDS = {"ru": "29\u00a0ноября\u00a02026", "en": "29\u00a0November\u00a02026"}
EXPIRES = {"ru": "2\u00a0декабря\u00a02026, 01:00", "en": "2\u00a0December\u00a02026, 01:00"}
TODAY = {"ru": "21\u00a0ноября\u00a02026", "en": "21\u00a0November\u00a02026"}
# By the studio's clock.
VISIT = {
    "ru": "четверг, 26\u00a0ноября\u00a02026, 12:00–14:00",
    "en": "Thursday, 26\u00a0November\u00a02026, 12:00–14:00",
}
EXTRAS = {"ru": "Софит × 2, Фон", "en": "Софит × 2, Фон"}
HELD_UNTIL = {"ru": "21\u00a0ноября\u00a02026, 16:00", "en": "21\u00a0November\u00a02026, 16:00"}
WHOLE = {
    "ru": "до 24\u00a0ноября\u00a02026, 12:00, вернём все деньги",
    "en": "by 24\u00a0November\u00a02026, 12:00, all of your money",
}
HALF = {"ru": "25\u00a0ноября\u00a02026, 12:00, вернём 50 %", "en": "25\u00a0November\u00a02026, 12:00, 50 %"}
NO_CHARGE = {"ru": "не спис", "en": "othing was charged"}

# What each letter must tell, by language.
FACTS: dict[str, list[dict[str, str]]] = {
    "renewal": [SUM, ENDS, EXPIRES],
    "period_end": [ENDS],
    "invoice_issued": [SUM, EXPIRES],
    "payment_succeeded": [SUM, TODAY, ENDS],
    "payment_failed": [SUM, EXPIRES, NO_CHARGE],
    "refund": [PART],
    "subscription_started": [ENDS],
    "subscription_ended": [],
    "booking_created": [SUM, VISIT, HELD_UNTIL],
    "booking_confirmed": [SUM, VISIT, EXTRAS, WHOLE, HALF],
    "booking_rescheduled": [SUM, VISIT, EXTRAS, WHOLE, HALF],
    "booking_cancelled": [SUM, VISIT],
    "booking_expired": [VISIT, HELD_UNTIL],
    "booking_money_late": [SUM, VISIT],
    "booking_reminder": [SUM, VISIT, EXTRAS, WHOLE],
    "booking_rating": [VISIT],
}
# Whoever reads these words alone learns nothing about their money.
BARE_WORDS = re.compile(
    r"\b(requires_action|pending|unknown|declined|canceled|incomplete|void|expired|succeeded|failed)\b"
)
FETCHING = re.compile(r"<(img|link|script|iframe|object|embed|video|form)\b|url\(|@import|@font-face", re.I)


class Reader(HTMLParser):
    """Buttons (links that stand in a colored cell) and other links, in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.buttons = html.count("background-color:#1f5eff")
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.links.append(dict(attrs)["href"] or "")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_letter_has_its_facts_in_text_and_html(kind: str, language: str) -> None:
    written = letter(kind, language)
    for fact in FACTS[kind]:
        assert fact[language] in written.text
        assert fact[language] in written.html
    assert ("Большой зал" if kind.startswith("booking_") else "Стандарт") in written.text + written.subject
    assert f'<html lang="{language}">' in written.html


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_letter_has_one_button_at_most_and_fetches_nothing(kind: str, language: str) -> None:
    html = letter(kind, language).html
    reader = Reader(html)
    assert reader.buttons <= 1
    assert FETCHING.search(html) is None
    assert all(link.startswith("https://yoga.example.org") for link in reader.links)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_no_state_is_named_barely_and_nothing_is_left_unfilled(kind: str, language: str) -> None:
    written = letter(kind, language)
    for words in (written.subject, written.text, re.sub(r"<[^>]*>", " ", written.html)):
        assert not BARE_WORDS.search(re.sub(r"https?://\S+", "", words))
        assert "None" not in words
        assert "{" not in words


def test_every_kind_has_a_template_in_both_languages_and_none_has_too_many() -> None:
    subjects = {letter(kind, language).subject for kind in KINDS for language in LANGUAGES}
    assert len(subjects) == len(KINDS) * len(LANGUAGES)


def links_of(written: Letter) -> list[tuple[str, object, object]]:
    tokens = re.findall(r"https://yoga\.example\.org/links/(\S+)", written.text)
    links = [read_link(KEY, token, NOW) for token in tokens]
    return [(link.purpose, link.subject_id, link.expires_at) for link in links]


def test_a_renewal_pays_the_open_invoice_or_ends_with_the_period() -> None:
    assert links_of(letter("renewal")) == [
        ("pay", INVOICE_ID, EXPIRES_AT),
        ("cancel", SUBSCRIPTION_ID, PERIOD_END),
    ]


def test_a_renewal_without_an_invoice_says_the_price_and_asks_for_nothing() -> None:
    written = letter("renewal", invoice=None)
    assert SUM["ru"] in written.text
    assert "сейчас платить не нужно" in written.text
    assert [purpose for purpose, _, _ in links_of(written)] == ["cancel"]


def test_a_link_ends_when_the_studios_clock_says_so() -> None:
    ahead = timedelta(days=2)
    written = letter("payment_failed", studio={"clock_offset": ahead, "now": NOW + ahead})
    assert links_of(written) == [("pay", INVOICE_ID, EXPIRES_AT - ahead)]


def test_a_card_is_shown_by_its_last_digits_alone() -> None:
    written = letter("payment_succeeded")
    assert "•••• 1111" in written.text
    assert "411111" not in written.text + written.html
    unknown = letter("payment_succeeded", payment={"card_mask": None})
    assert "Карта" not in unknown.text


def test_money_that_came_too_late_is_not_called_a_paid_invoice() -> None:
    written = letter("payment_succeeded", payment={"is_applied": False}, invoice={"state": "expired"})
    assert "Платить ещё раз не нужно" in written.text
    assert "оплачен." not in written.text


def test_an_end_to_come_says_until_when_it_works() -> None:
    now = situation(subscription={"is_ending": True}, invoice=None)
    written = render("subscription_ended", now, Occasion("ending"), None, LINKS, NOW)
    assert ENDS["ru"] in written.text
    assert links_of(written) == []


@pytest.mark.parametrize(
    "name", ["<b>Анна</b>", 'Анна "Ann" & Co', "Анна\r\nBcc: all@example.org", "А" * 5_000, "\u202eannA", ""]
)
def test_a_name_is_only_ever_a_name(name: str) -> None:
    written = letter("renewal", customer={"name": name})
    assert "<b>" not in written.html
    assert "\u202e" not in written.text
    assert max(len(line) for line in written.text.splitlines()) < 1_000
    assert "\nBcc:" not in written.text
    assert "\r" not in written.text


def test_the_same_situation_gives_the_same_letter() -> None:
    assert letter("renewal") == letter("renewal")
    assert PRICE.amount_minor == 149_000


LINES = (Line("Барабаны", 2, Money(80_000, "RUB")), Line("Вокал", 1, Money(9_000, "RUB")))


@pytest.mark.parametrize(
    ("language", "more"), [("ru", "Остальное (3 поз.): 600\u00a0₽"), ("en", "and 3 more: RUB\u00a0600")]
)
def test_an_invoice_says_its_lines_and_what_the_others_come_to(language: str, more: str) -> None:
    written = letter("invoice_issued", language, subscription=None, invoice={"lines": LINES, "line_count": 5})
    assert "Барабаны × 2: " in written.text
    assert "Вокал: " in written.text
    assert more in written.text
    whole = letter("invoice_issued", language, subscription=None, invoice={"lines": LINES, "line_count": 2})
    assert more.partition(":")[0].replace("3", "0") not in whole.text


@pytest.mark.parametrize(("language", "plan"), [("ru", "«Клуб „Соло“»"), ("en", "“Клуб «Соло»”")])
def test_a_name_with_quotation_marks_stands_in_quotation_marks(language: str, plan: str) -> None:
    written = letter(
        "subscription_ended", language, subscription={"plan_name": "Клуб «Соло»", "state": "canceled"}
    )
    assert plan in written.subject


# ---------------------------------------------------------------- bookings


def test_a_booking_is_paid_or_given_up_by_links_that_end_with_its_hold() -> None:
    assert links_of(letter("booking_created")) == [
        ("pay", INVOICE_ID, HOLD_EXPIRES_AT),
        ("cancel_booking", BOOKING_ID, HOLD_EXPIRES_AT),
    ]


@pytest.mark.parametrize("kind", ["booking_confirmed", "booking_rescheduled", "booking_reminder"])
def test_a_confirmed_booking_can_be_canceled_until_it_begins(kind: str) -> None:
    assert links_of(letter(kind)) == [("cancel_booking", BOOKING_ID, SLOT.starts_at)]
    begun = {"now": SLOT.starts_at}
    assert links_of(letter(kind, studio=begun)) == []
    assert "отменить" not in letter(kind, studio=begun).text


@pytest.mark.parametrize("language", LANGUAGES)
def test_who_pays_on_site_reads_how_much(language: str) -> None:
    unpaid = {"payment": "on_site", "paid": NOTHING}
    written = letter("booking_confirmed", language, booking=unpaid)
    words = {"ru": "К оплате на месте: ", "en": "To pay on site: "}
    assert words[language] + SUM[language] in written.text
    assert WHOLE[language] not in written.text
    part = letter("booking_confirmed", language, booking={"payment": "on_site", "paid": Money(99_950, "RUB")})
    assert words[language] + PART[language] in part.text


def test_terms_that_are_past_are_not_promised() -> None:
    soon = {"now": SLOT.starts_at - timedelta(hours=30)}
    written = letter("booking_reminder", studio=soon).text
    assert WHOLE["ru"] not in written
    assert HALF["ru"] in written
    late = letter("booking_reminder", studio={"now": SLOT.starts_at - timedelta(hours=23)}).text
    assert "Если отменить сейчас, деньги не вернутся." in late


def test_tiers_that_give_the_same_are_one() -> None:
    moved = letter("booking_confirmed", booking={"terms": (Tier(48, 50), Tier(24, 50), Tier(0, 0))}).text
    assert moved.count("50 %") == 1
    assert HALF["ru"] in moved


@pytest.mark.parametrize(
    ("paid", "given_back", "words"),
    [
        (NOTHING, NOTHING, "Платить ничего не нужно."),
        (PRICE, NOTHING, "По условиям отмены деньги не возвращаются."),
        (Money(99_950, "RUB"), Money(49_050, "RUB"), "Возвращаем 490,50\u00a0₽:"),
    ],
)
def test_a_canceled_booking_says_what_goes_back(paid: Money, given_back: Money, words: str) -> None:
    assert words in letter("booking_cancelled", booking={"paid": paid, "given_back": given_back}).text


def test_a_moved_booking_says_what_the_difference_is() -> None:
    dearer = letter("booking_rescheduled", invoice=situation().invoice)
    assert "Доплатить: 1\u00a0490\u00a0₽" in dearer.text
    assert [purpose for purpose, _, _ in links_of(dearer)] == ["pay", "cancel_booking"]
    cheaper = letter("booking_rescheduled", booking={"given_back": Money(49_050, "RUB")})
    assert "возвращаем 490,50\u00a0₽" in cheaper.text
    assert "стоит" not in letter("booking_rescheduled").text


def test_a_booking_that_late_money_brought_back_says_so() -> None:
    assert "снова ваше" in letter("booking_confirmed", booking={"was_lost": True}).text


def test_late_money_goes_back_or_is_looked_at_as_the_studio_does_it() -> None:
    assert "Возвращаем деньги" in letter("booking_money_late").text
    left = letter("booking_money_late", payment={"is_going_back": False}).text
    assert "Возвращаем" not in left
    assert "разберёмся" in left
    twice = letter("booking_money_late", booking={"state": "confirmed", "paid": PRICE})
    assert "Время уже не за вами" not in twice.text
    assert "Лишний платёж" in twice.subject
    other = letter("booking_money_late", booking={"state": "awaiting_payment"})
    assert "сумма не та" in other.text
    surcharge = letter(
        "booking_money_late", booking={"state": "confirmed", "total": Money(200_000, "RUB"), "paid": PRICE}
    )
    assert "срок оплаты этого счёта уже вышел" in surcharge.text
    assert "Лишний" not in surcharge.subject


def test_a_time_that_staff_holds_is_told_before_anybody_said_how_to_pay() -> None:
    held = letter("booking_created", booking={"state": "held", "origin": "staff"}, invoice=None)
    assert "К оплате: 1\u00a0490\u00a0₽" in held.text
    assert [purpose for purpose, _, _ in links_of(held)] == ["cancel_booking"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_who_is_asked_to_answer_is_not_told_not_to(language: str) -> None:
    words = {"ru": "Отвечать на это письмо не нужно", "en": "There is no need to reply"}
    asking = {kind for kind in KINDS if words[language] not in letter(kind, language).text}
    assert asking == {name for name, kind in KINDS.items() if kind.wants_answer} == {"booking_rating"}


@pytest.mark.parametrize(
    ("starts", "ends", "timezone", "words"),
    [
        ((11, 26, 20), (11, 26, 21), "Europe/Moscow", "четверг, 26\u00a0ноября\u00a02026, 23:00–24:00"),
        (
            (11, 26, 20),
            (11, 26, 22),
            "Europe/Moscow",
            "четверг, 26\u00a0ноября\u00a02026, 23:00 – пятница, 27\u00a0ноября\u00a02026, 01:00",
        ),
        # The clock is set back from 3 to 2 in Berlin.
        (
            (10, 25, 0),
            (10, 25, 1),
            "Europe/Berlin",
            "воскресенье, 25\u00a0октября\u00a02026, 02:00 (UTC+0200)–02:00 (UTC+0100)",
        ),
    ],
)
def test_a_visit_is_told_by_the_studios_clock(
    starts: tuple[int, int, int], ends: tuple[int, int, int], timezone: str, words: str
) -> None:
    at = Slot(HALL_ID, datetime(2026, *starts, tzinfo=UTC), datetime(2026, *ends, tzinfo=UTC))
    written = letter("booking_rating", studio={"timezone": timezone}, booking={"slot": at})
    assert f"Когда: {words}\n" in written.text
    assert booking().slot == SLOT
