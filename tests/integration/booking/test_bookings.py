"""Bookings from the hold to the end, over the API, applied by a real consumer."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx import Client, Response

from storage.studios import set_clock_offset
from tests.databases import owner_engine
from tests.integration.booking.houses import ZONE, House, open_house
from tests.integration.client_api.notices import notify, pay_fields
from tests.integration.client_api.people import Person, paying, register

pytestmark = pytest.mark.usefixtures("consumer")

ABSENT = "018f0000-0000-7000-8000-000000000000"
Storage = Callable[..., list[tuple[Any, ...]]]


def day(days: int, time: str = "12:00") -> str:
    """A local time so many days from today."""
    return f"{(datetime.now(ZONE) + timedelta(days=days)).date()}T{time}"


@pytest.fixture
def own(api_database: str) -> House:
    """A house where nobody has booked anything."""
    return open_house(api_database)


@pytest.fixture
def guest(client: Client, own: House) -> Person:
    return register(client, own.host)


def quoted(person: Person, body: dict[str, Any], **more: object) -> str:
    answer = person.post("/api/v1/quotes", {**body, **more})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["quote"])


def send(person: Person, path: str, body: object = None, /, **headers: str) -> Response:
    return person.post(f"/api/v1/bookings{path}", body, Prefer="wait=15", **headers)


def held(person: Person, body: dict[str, Any], **more: object) -> dict[str, Any]:
    answer = send(person, "", {"quote": quoted(person, body, **more)})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def done(answer: Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def checked_out(person: Person, booking: dict[str, Any], payment: str = "online") -> dict[str, Any]:
    return done(send(person, f"/{booking['id']}/checkout", {"payment": payment}))


def shown(person: Person, booking: dict[str, Any]) -> dict[str, Any]:
    return done(person.get(f"/api/v1/bookings/{booking['id']}"))


def pay(person: Person, house: House, invoice_id: str, storage: Storage) -> None:
    """By a notification of the provider's, applied when this returns."""
    attempt = paying(person, invoice_id)
    fields = pay_fields(attempt, person.customer_id)
    assert notify(person.client, house.shop, "pay", fields).json() == {"code": 0}
    wait_for_paid(storage, invoice_id)


def wait_for_paid(storage: Storage, invoice_id: str) -> None:
    deadline = datetime.now(UTC) + timedelta(seconds=15)
    while storage("SELECT state FROM invoice WHERE id = %s", invoice_id) != [("paid",)]:
        assert datetime.now(UTC) < deadline, "the payment was not applied"


def confirmed(person: Person, house: House, storage: Storage, body: dict[str, Any]) -> dict[str, Any]:
    booking = checked_out(person, held(person, body))
    pay(person, house, booking["invoice_id"], storage)
    return shown(person, booking)


def refusal(answer: Response) -> tuple[int, str]:
    return answer.status_code, str(answer.json().get("code"))


def put_clock(api_database: str, house: House, seconds: float) -> None:
    with owner_engine(api_database).begin() as connection:
        set_clock_offset(connection, house.studio_id, int(seconds))


def test_a_time_is_held_checked_out_paid_and_confirmed(guest: Person, own: House, storage: Storage) -> None:
    extras = [{"extra_id": str(own.light_id), "quantity": 2}]
    answer = send(guest, "", {"quote": quoted(guest, own.slot(day(10)), extras=extras)})
    booking = answer.json()
    assert (answer.status_code, answer.headers["Location"]) == (201, f"/api/v1/bookings/{booking['id']}")
    assert (booking["state"], booking["hall_name"], booking["total_minor"]) == ("held", "Big", 6000)
    assert (booking["extras"], booking["payment"], booking["invoice_id"]) == (extras, None, None)
    assert booking["allowed_actions"] == ["check_out_online", "cancel"]
    assert datetime.fromisoformat(booking["hold_expires_at"]) > datetime.now(UTC) + timedelta(minutes=14)

    awaiting = checked_out(guest, booking)
    assert (awaiting["state"], awaiting["payment"], awaiting["due_minor"]) == (
        "awaiting_payment",
        "online",
        6000,
    )
    invoice = done(guest.get(f"/api/v1/invoices/{awaiting['invoice_id']}"))
    assert (invoice["booking_id"], invoice["total"]["amount_minor"]) == (booking["id"], 6000)
    assert invoice["expires_at"] == awaiting["hold_expires_at"]

    pay(guest, own, awaiting["invoice_id"], storage)
    paid = shown(guest, booking)
    assert (paid["state"], paid["paid_minor"], paid["due_minor"]) == ("confirmed", 6000, 0)
    assert paid["allowed_actions"] == ["reschedule", "cancel"]
    machines = {step["machine"] for step in done(guest.get(f"/api/v1/invoices/{invoice['id']}"))["timeline"]}
    assert machines == {"invoice", "payment", "booking"}


def test_a_time_that_is_taken_is_refused_with_what_else_there_is(
    guest: Person, client: Client, own: House
) -> None:
    other = register(client, own.host)
    mine, theirs = quoted(guest, own.slot(day(10))), quoted(other, own.slot(day(10)))
    held_first = send(guest, "", {"quote": mine})
    assert held_first.status_code == 201
    lost = send(other, "", {"quote": theirs}, Idempotency_Key="race")
    assert refusal(lost) == (409, "slot_taken")
    alternatives = lost.json()["facts"]["alternatives"]
    assert [each["hall_name"] for each in alternatives] == ["Big"] * 5 + ["Small"]
    assert alternatives[0]["starts_at"][11:16] in {"14:00", "10:00"}
    again = send(other, "", {"quote": theirs}, Idempotency_Key="race")
    assert again.json()["facts"]["alternatives"] == alternatives
    taken = {name: alternatives[0][name] for name in ("hall_id", "starts_at", "ends_at")}
    assert held(other, {**taken, "people": 2})["state"] == "held"


def test_a_refused_command_is_still_to_be_found_among_the_operations(
    guest: Person, client: Client, own: House, storage: Storage
) -> None:
    other = register(client, own.host)
    theirs = quoted(other, own.slot(day(10)))
    held(guest, own.slot(day(10)))
    send(other, "", {"quote": theirs})
    ((command_id,),) = storage(
        "SELECT command_id FROM command_journal WHERE principal = %s", f"customer:{other.customer_id}"
    )
    operation = done(other.get(f"/api/v1/operations/{command_id}"))
    assert (operation["state"], operation["problem"]["code"]) == ("refused", "slot_taken")
    assert operation["problem"]["facts"] == {"hall_id": str(own.big_id)}


def test_a_request_sent_again_finds_its_booking_and_a_new_one_finds_the_time_taken(
    guest: Person, own: House
) -> None:
    body = {"quote": quoted(guest, own.slot(day(10)))}
    first = send(guest, "", body, Idempotency_Key="once")
    again = send(guest, "", body, Idempotency_Key="once")
    assert (first.status_code, again.json()["id"]) == (201, first.json()["id"])
    assert refusal(send(guest, "", body, Idempotency_Key="twice")) == (409, "slot_taken")


def test_who_moves_a_booking_is_shown_times_that_overlap_its_own(guest: Person, own: House) -> None:
    booking = held(guest, own.slot(day(10, "12:00")))
    path = f"/api/v1/halls/{own.big_id}/availability?from={day(10)[:10]}&to={day(11)[:10]}&duration=120"
    starts = [
        done(guest.get(path + own_time))["halls"][0]["starts"]
        for own_time in ("", f"&booking_id={booking['id']}")
    ]
    later = own.slot(day(10, "13:00"))["starts_at"]
    assert [later in shown_starts for shown_starts in starts] == [False, True]


@pytest.mark.parametrize("path", ["/api/v1/availability", "/api/v1/halls/{big_id}/availability"])
def test_when_somebody_has_booked_is_told_to_nobody_else(
    guest: Person, client: Client, own: House, other_house: House, path: str
) -> None:
    booking = held(guest, own.slot(day(10, "12:00")))
    asked = path.format(big_id=own.big_id) + f"?from={day(10)[:10]}&to={day(11)[:10]}&booking_id="
    host = {"Host": own.host}
    for headers in (host, {**host, "Authorization": "Bearer nonsense"}):
        assert refusal(client.get(asked + booking["id"], headers=headers)) == (401, "unauthenticated")
    foreign = register(client, other_house.host)
    foreign.host = own.host
    assert refusal(foreign.get(asked + booking["id"])) == (401, "unauthenticated")
    stranger = register(client, own.host)
    for booking_id in (booking["id"], ABSENT):
        assert refusal(stranger.get(asked + booking_id)) == (404, "not_found")
    assert len(done(guest.get(asked + booking["id"]))["halls"][0]["free"]) == 1


def test_what_the_provider_declined_to_give_back_is_not_shown_as_given_back(
    guest: Person, own: House, storage: Storage
) -> None:
    booking = confirmed(guest, own, storage, own.slot(day(10)))
    done(send(guest, f"/{booking['id']}/cancel"))
    declined = "UPDATE refund SET state = 'declined', version = version + 1 WHERE invoice_id = %s"
    storage(declined, booking["invoice_id"])
    storage("UPDATE provider_payment SET reserved_minor = 0 WHERE invoice_id = %s", booking["invoice_id"])
    told = shown(guest, booking)
    assert (told["state"], told["paid_minor"], told["refunded_minor"]) == ("canceled", 4000, 0)


def test_what_is_held_cannot_be_hoarded(guest: Person, own: House) -> None:
    bookings = [held(guest, own.slot(day(days))) for days in (10, 11, 12)]
    more = send(guest, "", {"quote": quoted(guest, own.slot(day(13)))})
    assert refusal(more) == (409, "too_many_holds")
    assert more.json()["facts"]["limit"] == 3
    done(send(guest, f"/{bookings[0]['id']}/cancel"))
    assert held(guest, own.slot(day(13)))["state"] == "held"


def test_bookings_are_paged_with_the_newest_first(guest: Person, own: House, client: Client) -> None:
    made = [held(guest, own.slot(day(days)))["id"] for days in (12, 10, 11)]
    held(register(client, own.host), own.slot(day(14)))
    page = done(guest.get("/api/v1/bookings?limit=2"))
    assert [each["id"] for each in page["items"]] == made[:0:-1]
    rest = done(guest.get(f"/api/v1/bookings?limit=2&cursor={page['next_cursor']}"))
    assert ([each["id"] for each in rest["items"]], rest["next_cursor"]) == ([made[0]], None)


def test_paying_on_site_is_for_where_it_is_offered(guest: Person, own: House, storage: Storage) -> None:
    booking = held(guest, own.slot(day(10)))
    refused = send(guest, f"/{booking['id']}/checkout", {"payment": "on_site"})
    assert refusal(refused) == (409, "on_site_not_offered")
    storage("UPDATE studio SET pays_on_site = true WHERE id = %s", own.studio_id)
    assert "check_out_on_site" in shown(guest, booking)["allowed_actions"]
    on_site = checked_out(guest, booking, "on_site")
    assert (on_site["state"], on_site["payment"], on_site["invoice_id"]) == ("confirmed", "on_site", None)
    assert done(guest.get(f"/api/v1/bookings/{booking['id']}/cancellation")) == {
        "refund_percent": 100,
        "refund_minor": 0,
        "kept_minor": 0,
    }


def test_after_its_deadline_a_hold_is_not_checked_out(guest: Person, own: House, api_database: str) -> None:
    booking = held(guest, own.slot(day(10)))
    put_clock(api_database, own, 900)
    assert shown(guest, booking)["allowed_actions"] == ["cancel"]
    late = send(guest, f"/{booking['id']}/checkout", {"payment": "online"})
    assert refusal(late) == (409, "hold_expired")


@pytest.mark.parametrize(("hours_left", "percent"), [(49, 100), (47, 50), (23, 0)])
def test_canceling_gives_back_what_was_shown_before(
    guest: Person, own: House, api_database: str, storage: Storage, hours_left: int, percent: int
) -> None:
    booking = confirmed(guest, own, storage, own.slot(day(10)))
    starts_at = datetime.fromisoformat(booking["starts_at"])
    ahead = starts_at - timedelta(hours=hours_left) - datetime.now(UTC)
    put_clock(api_database, own, ahead.total_seconds())
    preview = done(guest.get(f"/api/v1/bookings/{booking['id']}/cancellation"))
    back = 4000 * percent // 100
    assert preview == {"refund_percent": percent, "refund_minor": back, "kept_minor": 4000 - back}
    canceled = done(send(guest, f"/{booking['id']}/cancel"))
    assert (canceled["state"], canceled["allowed_actions"]) == ("canceled", [])
    refunds = done(guest.get(f"/api/v1/invoices/{booking['invoice_id']}"))["refunds"]
    assert [(each["amount"]["amount_minor"], each["origin"]) for each in refunds] == (
        [(back, "terms")] if back else []
    )
    assert refusal(guest.get(f"/api/v1/bookings/{booking['id']}/cancellation")) == (409, "transition_refused")
    assert held(guest, own.slot(day(10)))["state"] == "held", "the time is free again"


def test_what_has_begun_is_neither_moved_nor_canceled(
    guest: Person, own: House, api_database: str, storage: Storage
) -> None:
    booking = confirmed(guest, own, storage, own.slot(day(10)))
    ahead = datetime.fromisoformat(booking["starts_at"]) - datetime.now(UTC)
    put_clock(api_database, own, ahead.total_seconds() + 60)
    assert shown(guest, booking)["allowed_actions"] == []
    assert refusal(send(guest, f"/{booking['id']}/cancel")) == (409, "booking_started")
    preview = guest.get(f"/api/v1/bookings/{booking['id']}/cancellation")
    assert refusal(preview) == (409, "booking_started")


def test_a_booking_is_moved_onto_part_of_its_own_time_and_charged_for_more(
    guest: Person, own: House, storage: Storage
) -> None:
    booking = confirmed(guest, own, storage, own.slot(day(10)))
    longer = own.slot(day(10, "13:00"), 180)
    assert refusal(guest.post("/api/v1/quotes", longer)) == (409, "slot_taken")
    quote = quoted(guest, longer, booking_id=booking["id"])
    moved = done(send(guest, f"/{booking['id']}/reschedule", {"quote": quote}))
    assert (moved["state"], moved["total_minor"], moved["due_minor"]) == ("confirmed", 6000, 2000)
    assert moved["starts_at"] != booking["starts_at"]
    assert moved["invoice_id"] != booking["invoice_id"]
    assert moved["allowed_actions"] == ["cancel"], "what the move costs is to be paid first"
    pay(guest, own, moved["invoice_id"], storage)
    assert shown(guest, booking)["paid_minor"] == 6000
    assert shown(guest, booking)["allowed_actions"] == ["reschedule", "cancel"]


def test_what_a_move_saves_goes_back_and_extras_move_along(
    guest: Person, own: House, storage: Storage
) -> None:
    extras = [{"extra_id": str(own.light_id), "quantity": 3}]
    booking = confirmed(guest, own, storage, {**own.slot(day(10)), "extras": extras})
    less = {**own.slot(day(10), 60), "extras": [{**extras[0], "quantity": 1}]}
    quote = quoted(guest, less, booking_id=booking["id"])
    moved = done(send(guest, f"/{booking['id']}/reschedule", {"quote": quote}))
    assert (moved["total_minor"], moved["due_minor"]) == (2500, 0)
    assert moved["extras"] == less["extras"]
    refunds = done(guest.get(f"/api/v1/invoices/{booking['invoice_id']}"))["refunds"]
    assert [each["amount"]["amount_minor"] for each in refunds] == [booking["paid_minor"] - 2500]
    assert done(send(guest, f"/{booking['id']}/cancel"))["extras"] == less["extras"], "those it had last"


def test_when_not_all_would_come_back_no_cheaper_time_is_quoted(
    guest: Person, own: House, api_database: str, storage: Storage
) -> None:
    booking = confirmed(guest, own, storage, own.slot(day(10)))
    quote = quoted(guest, own.slot(day(11), 60), booking_id=booking["id"])
    ahead = datetime.fromisoformat(booking["starts_at"]) - timedelta(hours=47) - datetime.now(UTC)
    put_clock(api_database, own, ahead.total_seconds())
    cheaper = guest.post("/api/v1/quotes", {**own.slot(day(11), 60), "booking_id": booking["id"]})
    assert refusal(cheaper) == (409, "too_late_to_pay_less")
    assert cheaper.json()["facts"] == {"refund_percent": 50}
    assert refusal(send(guest, f"/{booking['id']}/reschedule", {"quote": quote})) == (409, "quote_expired")
    same = quoted(guest, own.slot(day(11)), booking_id=booking["id"])
    assert done(send(guest, f"/{booking['id']}/reschedule", {"quote": same}))["paid_minor"] == 4000


def test_beyond_what_is_paid_no_dearer_time_is_quoted_nor_moved_to(
    guest: Person, own: House, storage: Storage
) -> None:
    booking = confirmed(guest, own, storage, own.slot(day(10)))
    longer = {**own.slot(day(11), 300), "booking_id": booking["id"]}
    refused = guest.post("/api/v1/quotes", longer)
    assert refusal(refused) == (409, "surcharge_too_large")
    assert refused.json()["facts"] == {"surcharge_minor": 6000, "paid_minor": 4000}
    quote = quoted(guest, own.slot(day(11), 240), booking_id=booking["id"])
    storage("UPDATE booking SET total_minor = 1 WHERE id = %s", booking["id"])
    lost = send(guest, f"/{booking['id']}/reschedule", {"quote": quote})
    assert refusal(lost) == (409, "surcharge_too_large"), "the updater counts again"


def test_paying_on_site_cannot_be_promised_without_end(guest: Person, own: House, storage: Storage) -> None:
    storage("UPDATE studio SET pays_on_site = true, on_site_limit = 1 WHERE id = %s", own.studio_id)
    first, second = (held(guest, own.slot(day(days))) for days in (10, 11))
    assert checked_out(guest, first, "on_site")["state"] == "confirmed"
    more = send(guest, f"/{second['id']}/checkout", {"payment": "on_site"})
    assert refusal(more) == (409, "too_many_on_site")
    assert more.json()["facts"] == {"limit": 1}
    assert checked_out(guest, second)["state"] == "awaiting_payment"


def test_what_is_only_asked_for_is_not_counted_as_gone(guest: Person, own: House, storage: Storage) -> None:
    booking = confirmed(guest, own, storage, own.slot(day(10)))
    asked = guest.post(
        f"/api/v1/invoices/{booking['invoice_id']}/refund-requests",
        {"amount_minor": 4000, "reason": "ill"},
        Idempotency_Key=secrets.token_hex(8),
        Prefer="wait=10",
    )
    assert asked.status_code == 201, asked.text
    preview = done(guest.get(f"/api/v1/bookings/{booking['id']}/cancellation"))
    assert preview == {"refund_percent": 100, "refund_minor": 4000, "kept_minor": 0}
    done(send(guest, f"/{booking['id']}/cancel"))
    refunds = done(guest.get(f"/api/v1/invoices/{booking['invoice_id']}"))["refunds"]
    assert sorted((each["origin"], each["state"]) for each in refunds)[0] == ("customer", "withdrawn")
    assert sorted(each["origin"] for each in refunds) == ["customer", "terms"]


def test_a_move_to_a_taken_time_names_what_else_there_is(
    guest: Person, client: Client, own: House, storage: Storage
) -> None:
    booking = confirmed(guest, own, storage, own.slot(day(10)))
    quote = quoted(guest, own.slot(day(11)), booking_id=booking["id"])
    held(register(client, own.host), own.slot(day(11)))
    lost = send(guest, f"/{booking['id']}/reschedule", {"quote": quote})
    assert refusal(lost) == (409, "slot_taken")
    assert len(lost.json()["facts"]["alternatives"]) == 6
    assert shown(guest, booking) == booking


@pytest.mark.parametrize("from_elsewhere", [False, True], ids=["same studio", "other studio"])
def test_a_foreign_booking_is_answered_as_an_absent_one(
    guest: Person, client: Client, own: House, other_house: House, from_elsewhere: bool
) -> None:
    booking = held(guest, own.slot(day(10)))
    there = other_house if from_elsewhere else own
    stranger = register(client, there.host)
    for booking_id in (booking["id"], ABSENT):
        asked = {**there.slot(day(11)), "booking_id": booking_id}
        answers = [
            stranger.get(f"/api/v1/bookings/{booking_id}"),
            stranger.get(f"/api/v1/bookings/{booking_id}/cancellation"),
            send(stranger, f"/{booking_id}/checkout", {"payment": "online"}),
            send(stranger, f"/{booking_id}/cancel"),
            stranger.post("/api/v1/quotes", asked),
        ]
        assert [refusal(answer) for answer in answers] == [(404, "not_found")] * len(answers)
    assert shown(guest, booking) == booking
    assert done(stranger.get("/api/v1/bookings"))["items"] == []


def test_what_was_free_when_it_was_quoted_is_looked_at_again_with_its_extras(
    guest: Person, client: Client, own: House
) -> None:
    extras = [{"extra_id": str(own.light_id), "quantity": 2}]
    other = register(client, own.host)
    quote = quoted(guest, own.slot(day(10)), extras=extras)
    held(other, {**own.slot(day(10), hall_id=own.small_id), "extras": extras})
    lost = send(guest, "", {"quote": quote}, Idempotency_Key=secrets.token_hex(8))
    assert refusal(lost) == (409, "extra_not_free")
    assert lost.json()["facts"] == {"extra_id": str(own.light_id), "free": 1}
    more = guest.post("/api/v1/quotes", {**own.slot(day(10)), "extras": extras})
    assert refusal(more) == (409, "extra_not_free")
