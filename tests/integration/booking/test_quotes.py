"""What a time would cost, and what cannot be had."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from httpx import Client

from booking.quotes import Quote, quote_key, read_quote, sign_quote
from runtime.settings import ApiSettings
from tests.integration.booking.conftest import StandingClock
from tests.integration.booking.houses import NOW, House, block, open_house
from tests.integration.client_api.people import Person

SignIn = Callable[[House], Person]

ABSENT = "018f0000-0000-7000-8000-000000000000"


def _quote(person: Person, body: dict[str, Any], **more: object) -> dict[str, Any]:
    answer = person.post("/api/v1/quotes", {**body, **more})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def _refusal(person: Person, body: dict[str, Any], **more: object) -> tuple[int, str]:
    answer = person.post("/api/v1/quotes", {**body, **more})
    return answer.status_code, str(answer.json()["code"])


def test_a_quote_is_itemised_with_the_terms_of_today(looker: Person, house: House) -> None:
    wanted = house.slot("2038-03-10T17:00")
    extras = [
        {"extra_id": str(house.light_id), "quantity": 2},
        {"extra_id": str(house.piano_id), "quantity": 1},
    ]
    quote = _quote(looker, wanted, people=6, extras=extras)
    assert [(line["quantity"], line["unit_amount_minor"]) for line in quote["lines"]] == [
        (1, 2000),
        (1, 3000),
        (1, 400),
        (2, 1000),
        (1, 4000),
    ]
    assert quote["total_minor"] == 2000 + 3000 + 400 + 2000 + 4000
    assert quote["extras"] == extras
    assert quote["terms"] == [
        {"hours_before": 48, "refund_percent": 100},
        {"hours_before": 24, "refund_percent": 50},
    ]
    assert (quote["starts_at"], quote["currency"]) == ("2038-03-10T17:00:00+01:00", "EUR")
    assert datetime.fromisoformat(quote["valid_until"]) == NOW + timedelta(seconds=600)


def test_asking_costs_nothing_and_stores_nothing(looker: Person, house: House, storage: Any) -> None:
    counted = "SELECT (SELECT count(*) FROM command_journal), (SELECT count(*) FROM occupancy)"
    before = storage(counted)
    _quote(looker, house.slot("2038-03-10T12:00"))
    assert storage(counted) == before


REFUSED: list[tuple[str, int, dict[str, object], tuple[int, str]]] = [
    ("2038-03-10T12:07", 120, {}, (422, "off_grid")),
    ("2038-03-10T12:00", 125, {}, (422, "off_grid")),
    ("2038-03-10T12:00", 45, {}, (422, "too_short")),
    ("2038-03-10T11:00", 495, {}, (422, "too_long")),
    ("2038-03-10T12:00", 365 * 1440, {}, (422, "too_long")),
    ("2038-02-27T12:00", 120, {}, (409, "slot_in_the_past")),
    ("2038-03-01T10:30", 120, {}, (409, "too_soon")),
    ("2039-03-10T12:00", 120, {}, (409, "too_far")),
    ("2038-03-10T08:00", 120, {}, (409, "outside_hours")),
    ("2038-03-10T21:00", 120, {}, (409, "outside_hours")),
    ("2038-03-10T23:00", 120, {}, (409, "outside_hours")),
    ("2038-03-10T12:00", 120, {"people": 11}, (422, "too_many_people")),
    ("2038-03-10T12:00", 120, {"hall_id": ABSENT}, (404, "not_found")),
    ("2038-03-10T12:00", 120, {"booking_id": ABSENT}, (404, "not_found")),
    (
        "2038-03-10T12:00",
        120,
        {"extras": [{"extra_id": ABSENT, "quantity": 1}]},
        (422, "extra_not_available"),
    ),
]


@pytest.mark.parametrize(("start", "minutes", "more", "expected"), REFUSED)
def test_what_cannot_be_had_is_not_quoted(
    looker: Person,
    house: House,
    start: str,
    minutes: int,
    more: dict[str, object],
    expected: tuple[int, str],
) -> None:
    assert _refusal(looker, house.slot(start, minutes), **more) == expected


UNREADABLE: list[tuple[dict[str, object], list[tuple[str, str]]]] = [
    ({"ends_at": "2038-03-10T12:00:00+01:00"}, [("body.ends_at", "not_after_starts_at")]),
    ({"ends_at": "2038-03-10T11:00:00+01:00"}, [("body.ends_at", "not_after_starts_at")]),
    ({"starts_at": "2038-03-10T12:00:00"}, [("body.starts_at", "timezone_aware")]),
    ({"starts_at": "2038-03-10"}, [("body.starts_at", "not_a_date_and_time")]),
    ({"starts_at": 2151824400}, [("body.starts_at", "not_a_date_and_time")]),
    ({"starts_at": "2151824400"}, [("body.starts_at", "not_a_date_and_time")]),
    ({"starts_at": "0001-01-01T00:00:00+14:00"}, [("body.starts_at", "value_error")]),
    ({"starts_at": "1999-01-01T00:00:00+01:00"}, [("body.starts_at", "out_of_range")]),
    ({"ends_at": "9999-12-31T23:59:59-01:00"}, [("body.ends_at", "value_error")]),
    ({"people": 0}, [("body.people", "greater_than_equal")]),
    ({"people": "2"}, [("body.people", "int_type")]),
    ({"colour": "red"}, [("body", "extra_forbidden")]),
    ({"extras": [{"extra_id": ABSENT, "quantity": 0}]}, [("body.extras.0.quantity", "greater_than_equal")]),
]


@pytest.mark.parametrize(("more", "faults"), UNREADABLE)
def test_what_is_no_time_or_number_is_told_where(
    looker: Person, house: House, more: dict[str, object], faults: list[tuple[str, str]]
) -> None:
    answer = looker.post("/api/v1/quotes", {**house.slot("2038-03-10T12:00"), **more})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert [(fault["at"], fault["fault"]) for fault in answer.json()["errors"]] == faults


def test_an_hour_that_the_clocks_skip_is_the_one_after_it_and_a_repeated_one_is_two(
    looker: Person, house: House
) -> None:
    skipped = {
        **house.slot("2038-03-28T01:00", 60, house.small_id),
        "starts_at": "2038-03-28T02:00:00+01:00",
        "ends_at": "2038-03-28T04:00:00+02:00",
    }
    quote = _quote(looker, skipped)
    assert quote["starts_at"] == "2038-03-28T03:00:00+02:00"
    assert quote["total_minor"] == 2000, "one real hour"
    twice = {
        **skipped,
        "starts_at": "2038-10-31T02:00:00+02:00",
        "ends_at": "2038-10-31T02:00:00+01:00",
    }
    assert _quote(looker, twice)["total_minor"] == 2000


def test_a_hall_or_extra_of_another_house_is_as_absent(
    looker: Person, house: House, other_house: House
) -> None:
    wanted = house.slot("2038-03-10T12:00")
    assert _refusal(looker, wanted, hall_id=str(other_house.big_id)) == (404, "not_found")
    foreign = [{"extra_id": str(other_house.light_id), "quantity": 1}]
    assert _refusal(looker, wanted, extras=foreign) == (422, "extra_not_available")
    of_big = [{"extra_id": str(house.piano_id), "quantity": 1}]
    small = house.slot("2038-03-10T12:00", hall_id=house.small_id)
    assert _refusal(looker, small, extras=of_big) == (422, "extra_not_available")


def test_an_extra_is_named_once_and_not_more_of_it_than_there_are(looker: Person, house: House) -> None:
    wanted, light = house.slot("2038-03-10T12:00"), str(house.light_id)
    twice = [{"extra_id": light, "quantity": 1}] * 2
    assert _refusal(looker, wanted, extras=twice) == (422, "extra_given_twice")
    answer = looker.post("/api/v1/quotes", {**wanted, "extras": [{"extra_id": light, "quantity": 4}]})
    assert (answer.status_code, answer.json()["code"]) == (409, "extra_not_free")
    assert answer.json()["facts"] == {"extra_id": light, "free": 3}


def test_a_sum_beyond_an_invoice_is_refused(sign_in: SignIn, api_database: str, storage: Any) -> None:
    own = open_house(api_database)
    storage("UPDATE extra SET amount_minor = 900000000000, stock = NULL WHERE id = %s", own.light_id)
    person = sign_in(own)
    extras = [{"extra_id": str(own.light_id), "quantity": 2}]
    assert _refusal(person, own.slot("2038-03-10T12:00"), extras=extras) == (409, "exceeds_amount_limit")


def test_a_hall_without_a_price_is_neither_shown_free_nor_quoted(
    sign_in: SignIn, api_database: str, storage: Any
) -> None:
    own = open_house(api_database)
    new_hall = storage(
        "INSERT INTO hall (id, studio_id, name, capacity, hours)"
        " SELECT gen_random_uuid(), studio_id, 'New', 5, hours FROM hall WHERE id = %s RETURNING id",
        own.big_id,
    )[0][0]
    person = sign_in(own)
    assert _refusal(person, own.slot("2038-03-10T12:00", hall_id=new_hall)) == (409, "no_price")
    shown = person.get(f"/api/v1/halls/{new_hall}/availability?duration=60").json()
    assert shown["halls"] == [{"hall_id": str(new_hall), "free": [], "starts": []}]


def test_a_hall_that_is_off_is_as_absent(sign_in: SignIn, api_database: str, storage: Any) -> None:
    own = open_house(api_database)
    storage("UPDATE hall SET is_active = false WHERE id = %s", own.big_id)
    person = sign_in(own)
    assert _refusal(person, own.slot("2038-03-10T12:00")) == (404, "not_found")
    assert person.get(f"/api/v1/halls/{own.big_id}").status_code == 404


def test_a_taken_time_comes_with_the_nearest_ones_and_other_halls(sign_in: SignIn, api_database: str) -> None:
    own = open_house(api_database)
    block(api_database, own, own.big_id, "2038-03-10T12:00", 120)
    person = sign_in(own)
    answer = person.post("/api/v1/quotes", own.slot("2038-03-10T12:30"))
    assert (answer.status_code, answer.json()["code"]) == (409, "slot_taken")
    alternatives = answer.json()["facts"]["alternatives"]
    assert [(each["hall_name"], each["starts_at"]) for each in alternatives] == [
        ("Big", "2038-03-10T14:00:00+01:00"),
        ("Big", "2038-03-10T14:15:00+01:00"),
        ("Big", "2038-03-10T14:30:00+01:00"),
        ("Big", "2038-03-10T14:45:00+01:00"),
        ("Big", "2038-03-10T10:00:00+01:00"),
        ("Small", "2038-03-10T12:30:00+01:00"),
    ]
    for each in alternatives:
        _quote(person, {**{name: each[name] for name in ("hall_id", "starts_at", "ends_at")}, "people": 2})
    crowd = person.post("/api/v1/quotes", {**own.slot("2038-03-10T12:30"), "people": 5}).json()
    assert {each["hall_name"] for each in crowd["facts"]["alternatives"]} == {"Big"}


def test_the_listed_starts_are_just_those_that_are_quoted(sign_in: SignIn, api_database: str) -> None:
    own = open_house(api_database)
    for start, minutes in (("2038-03-28T00:30", 60), ("2038-03-28T05:00", 90), ("2038-03-28T13:00", 480)):
        block(api_database, own, own.small_id, start, minutes)
    person = sign_in(own)
    query = "from=2038-03-28&to=2038-03-29&duration=90"
    (hall,) = person.get(f"/api/v1/halls/{own.small_id}/availability?{query}").json()["halls"]
    midnight = datetime.fromisoformat("2038-03-28T00:00:00+01:00")
    tried = [midnight + timedelta(minutes=15 * count) for count in range(23 * 4)]
    quoted = []
    for start in tried:
        body = {
            "hall_id": str(own.small_id),
            "starts_at": start.isoformat(),
            "ends_at": (start + timedelta(minutes=90)).isoformat(),
            "people": 1,
        }
        if person.post("/api/v1/quotes", body).status_code == 200:
            quoted.append(start)
    assert quoted == [datetime.fromisoformat(start) for start in hall["starts"]]
    assert quoted


def _citing(person: Person, quote: str) -> tuple[int, str]:
    answer = person.post("/api/v1/bookings", {"quote": quote})
    return answer.status_code, str(answer.json().get("code"))


def test_a_quote_is_good_for_its_own_client_alone(
    sign_in: SignIn, api_database: str, other_house: House
) -> None:
    own = open_house(api_database)
    person = sign_in(own)
    quote = _quote(person, own.slot("2038-03-10T12:00"))["quote"]
    assert _citing(sign_in(own), quote) == (422, "quote_invalid")
    assert _citing(sign_in(other_house), quote) == (422, "quote_invalid")
    assert _citing(person, quote) == (202, "None")


def test_an_altered_quote_is_worth_nothing(looker: Person, house: House, settings: ApiSettings) -> None:
    token = str(_quote(looker, house.slot("2038-03-10T12:00"))["quote"])
    head, body, signature = token.split(".")
    key = quote_key(settings.token_key)
    quote = read_quote(key, token, house.studio_id, looker.customer_id)
    forged = [
        f"{head}.{body[:-4]}AAAA.{signature}",
        f"{head}.{body}.{signature[:-4]}AAAA",
        f"eyJhbGciOiJub25lIn0.{body}.",
        "no token",
        looker.access_token,
        sign_quote(settings.token_key.get_secret_value().encode(), quote),
    ]
    assert [_citing(looker, each) for each in forged] == [(422, "quote_invalid")] * len(forged)
    too_long = looker.post("/api/v1/bookings", {"quote": "x" * 50_000})
    assert too_long.json()["errors"] == [{"at": "body.quote", "fault": "string_too_long"}]


def test_a_quote_lasts_as_long_as_it_says_and_a_price_changed_meanwhile_changes_nothing(
    sign_in: SignIn, api_database: str, clock: StandingClock, storage: Any
) -> None:
    own = open_house(api_database)
    person = sign_in(own)
    quote = _quote(person, own.slot("2038-03-10T12:00"))
    storage(
        "INSERT INTO tariff (id, studio_id, hall_id, version, currency, per_hour_minor, effective_from)"
        " SELECT gen_random_uuid(), studio_id, hall_id, 2, currency, 99900, %s FROM tariff"
        " WHERE hall_id = %s",
        NOW,
        own.big_id,
    )
    assert _quote(person, own.slot("2038-03-10T12:00"))["total_minor"] == 199_800
    valid_until = datetime.fromisoformat(quote["valid_until"])
    clock.now = valid_until - timedelta(seconds=1)
    held = person.post("/api/v1/bookings", {"quote": quote["quote"]})
    assert held.status_code == 202
    ((total,),) = storage(
        "SELECT convert_from(body, 'UTF8')::jsonb #>> '{offer,lines,0,unit_amount_minor}'"
        " FROM command_journal WHERE command_id = %s",
        held.json()["command_id"],
    )
    assert int(total) == quote["total_minor"]
    clock.now = valid_until
    assert _citing(person, quote["quote"]) == (409, "quote_expired")


def test_a_quote_for_moving_one_booking_makes_no_other(
    looker: Person, house: House, settings: ApiSettings
) -> None:
    key = quote_key(settings.token_key)
    plain = read_quote(
        key, str(_quote(looker, house.slot("2038-03-10T12:00"))["quote"]), house.studio_id, looker.customer_id
    )
    moving = Quote(plain.studio_id, plain.customer_id, UUID(ABSENT), plain.offer, plain.valid_until)
    assert _citing(looker, sign_quote(key, moving)) == (422, "quote_invalid")
    answer = looker.post(f"/api/v1/bookings/{ABSENT}/reschedule", {"quote": sign_quote(key, plain)})
    assert answer.json()["code"] == "quote_invalid"
    moved = looker.post(f"/api/v1/bookings/{ABSENT}/reschedule", {"quote": sign_quote(key, moving)})
    assert moved.status_code == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "quotes"),
        ("POST", "bookings"),
        ("GET", "bookings"),
        ("GET", f"bookings/{ABSENT}"),
        ("GET", f"bookings/{ABSENT}/cancellation"),
        ("POST", f"bookings/{ABSENT}/checkout"),
        ("POST", f"bookings/{ABSENT}/cancel"),
        ("POST", f"bookings/{ABSENT}/reschedule"),
    ],
)
def test_nobody_books_without_signing_in(window_client: Client, method: str, path: str) -> None:
    body = {} if method == "POST" else None
    answer = window_client.request(method, f"/api/v1/{path}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
