"""Forms of halls and bookings as a manager fills them: rules by the line, times by the clock, and what stands
in the way when a hall is closed."""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from httpx import Client, Response
from sqlalchemy import text

from bus.messages import CheckOutBooking, HoldBooking, InvoiceLine, Offer, decode_command
from kit.ids import new_id, sha256
from state_updater.apply import Received
from storage.halls import NewHall, NewTariff, create_hall, create_tariff
from tests.integration.admin_api.conftest import Office
from tests.integration.admin_api.pages.conftest import Browse, foresee, hidden_fields, send_form

MOSCOW = ZoneInfo("Europe/Moscow")
DAY = (datetime.now(MOSCOW) + timedelta(days=10)).date()
ALWAYS = [{"weekdays": [1, 2, 3, 4, 5, 6, 7], "opens": "00:00", "closes": "24:00"}]
_HALL = re.compile(r"/admin/halls/details/([0-9a-f-]{36})")


@dataclass(frozen=True)
class House:
    """An office of its own with a hall; `browser` is its owner's."""

    office: Office
    browser: Client
    hall_id: UUID

    def hold(self, starts: str, ends: str) -> UUID:
        """A booking of the shop's customer, to be paid on site."""
        shop, booking_id = self.office.shop, new_id()
        offer = Offer(
            hall_id=self.hall_id, starts_at=at(starts), ends_at=at(ends), people=2, extras=(), terms=(),
            lines=(InvoiceLine(description="Blue", quantity=1, unit_amount_minor=100_000),),
        )  # fmt: skip
        base = {"studio_id": shop.studio_id, "customer_id": shop.customer_id, "booking_id": booking_id}
        hold = HoldBooking.model_validate({**base, "offer": offer, "origin": "staff"})
        check_out = CheckOutBooking.model_validate(
            {**base, "invoice_id": new_id(), "payment": "on_site", "origin": "staff"}
        )
        assert shop.tell(hold, check_out) == ["applied", "applied"]
        return booking_id

    def apply_all(self) -> list[str]:
        """As the updater does with everything that was accepted here; the kinds of it."""
        shop = self.office.shop
        found = shop.rows(
            "SELECT command_id, kind, schema_version, body FROM command_journal"
            " WHERE studio_id = :studio AND state = 'accepted' ORDER BY sequence"
        )
        for command_id, kind, version, body in found:
            shop.apply([Received(command_id, sha256(body), decode_command(kind, version, body))])
        return [kind for _, kind, _, _ in found]


def at(clock: str) -> datetime:
    return datetime.fromisoformat(f"{DAY} {clock}").replace(tzinfo=MOSCOW)


@pytest.fixture
def house(open_office: Callable[[], Office], browse: Browse) -> House:
    office = open_office()
    shop, hall_id = office.shop, new_id()
    tariff = NewTariff(
        id=new_id(), studio_id=shop.studio_id, hall_id=hall_id, per_hour_minor=100_000,
        effective_from=datetime(2020, 1, 1, tzinfo=MOSCOW),
    )  # fmt: skip
    with shop.owner.begin() as connection:
        hall = NewHall(id=hall_id, studio_id=shop.studio_id, name="Blue", capacity=8, hours=ALWAYS)
        create_hall(connection, hall)
        create_tariff(connection, tariff)
    return House(office, browse("owner", office), hall_id)


def words(page: Response) -> str:
    """What a person reads, in one line."""
    told = re.sub(r"<(script|style)\b.*?</\1>", " ", page.text, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", told)).split())


def test_hall_is_made_of_a_form_and_its_hours_come_back_as_they_were_written(house: House) -> None:
    typed = {
        "name": "Red",
        "capacity": "6",
        "equipment": "Drums\nPiano",
        "hours": "mon-fri 10:00-22:00\nsat,sun 10:00-24:00 2026-06-01..2026-08-31",
    }
    browser = house.browser
    made = browser.post(
        "/admin/do/create_hall", data={**hidden_fields(browser.get("/admin/do/create_hall")), **typed}
    )
    found = _HALL.search(made.headers.get("location", ""))
    assert found is not None, made.text
    page = browser.get(f"/admin/halls/details/{found[1]}")
    for line in (*typed["hours"].splitlines(), "Drums, Piano"):
        assert line in page.text
    form = browser.get(f"/admin/do/set_hours/{found[1]}")
    assert typed["hours"] in form.text


def test_hours_are_shown_and_taken_in_the_persons_language(house: House) -> None:
    browser = house.browser
    path = f"/admin/do/set_hours/{house.hall_id}"
    browser.post(path, data={**hidden_fields(browser.get(path)), "hours": "пн-ср 9:00-21:00"})
    assert "mon-wed 09:00-21:00" in browser.get(f"/admin/halls/details/{house.hall_id}").text
    form = hidden_fields(browser.get("/admin/do/set_language"))
    browser.post("/admin/do/set_language", data={"locale": "ru", **form})
    assert "пн-ср 09:00-21:00" in browser.get(path).text


@pytest.mark.parametrize(
    ("action", "field", "typed", "line"),
    [
        ("set_hours", "hours", "mon 10:00-12:00\nsomeday 10:00-12:00", 2),
        ("set_tariff", "rates", "mon 10:00-12:00 evening", 1),
        ("set_tariff", "duration_tiers", "4 h 10 %\n\n5 h 99 %", 3),
    ],
)
def test_line_that_means_nothing_is_told_by_its_number_and_stays_in_the_form(
    house: House, action: str, field: str, typed: str, line: int
) -> None:
    path, others = (
        f"/admin/do/{action}/{house.hall_id}",
        {"per_hour_minor": "2 000", "effective_from": "2027-01-01"},
    )
    answer = foresee(house.browser, path, **(others if action == "set_tariff" else {}), **{field: typed})
    assert answer.status_code == 422
    assert f"Line {line} cannot be read" in answer.text
    assert typed.splitlines()[-1] in html.unescape(answer.text)


def test_holds_are_told_and_taken_in_minutes_and_hours(house: House) -> None:
    browser, studio_id = house.browser, house.office.shop.studio_id
    path, page = f"/admin/do/change_booking_terms/{studio_id}", f"/admin/booking_terms/details/{studio_id}"
    form = browser.get(path)
    assert all(f'value="{told}"' in form.text for told in ("15 min", "24 h", "10 min"))
    typed = {**hidden_fields(form), "hold_seconds": "20", "holds_limit": "3", "late_money": "staff"}
    assert "A length such as 15 min or 24 h" in words(browser.post(path, data=typed))
    done = browser.post(path, data={**typed, "hold_seconds": "20 мин", "staff_hold_seconds": "36 h"})
    assert done.headers["location"].startswith(page), words(done)
    told = words(browser.get(page))
    assert "How long a customer holds a time 20 min" in told
    assert "How long, when staff holds it 36 h" in told


def test_hall_that_is_opened_again_leads_to_the_list_of_what_is_closed(house: House) -> None:
    browser = house.browser
    closing = {"starts_at": f"{DAY} 09:00", "ends_at": f"{DAY} 18:00"}
    send_form(browser, f"/admin/do/block_hall/{house.hall_id}", **closing)
    assert house.apply_all() == ["BlockHall"]
    [(blackout_id,)] = house.office.shop.rows(
        "SELECT id FROM occupancy WHERE hall_id = :hall AND kind = 'blackout'", hall=house.hall_id
    )
    path = f"/admin/do/unblock_hall/{blackout_id}"
    shown = browser.get(path)
    assert "Nothing would change" not in words(shown)
    done = browser.post(path, data=hidden_fields(shown))
    assert house.apply_all() == ["UnblockHall"]
    assert browser.get(done.headers["location"]).status_code == 200


def test_tariff_is_read_in_money_and_shown_before_it_is_set(house: House) -> None:
    typed = {
        "per_hour_minor": "2 500,50",
        "rates": "fri,sat 18:00-24:00 3500 Evening",
        "duration_tiers": "4 h 10 %",
        "effective_from": (datetime.now(MOSCOW) + timedelta(days=3)).date().isoformat(),
    }
    path = f"/admin/do/set_tariff/{house.hall_id}"
    assert "Blue: RUB\u00a02,500.50 an hour from" in foresee(house.browser, path, **typed).text
    assert send_form(house.browser, path, **typed).status_code == 303
    page = words(house.browser.get(f"/admin/halls/details/{house.hall_id}"))
    assert "fri,sat 18:00-24:00 3500 Evening" in page
    assert "RUB 2,500.50" in page


def test_extras_of_a_hall_can_be_cleared_of_their_stock_and_equipment_of_its_lines(house: House) -> None:
    browser, shop = house.browser, house.office.shop
    extra = {"name": "Light", "unit": "booking", "amount_minor": "300", "stock": "3"}
    made = browser.post(
        "/admin/do/create_extra", data={**hidden_fields(browser.get("/admin/do/create_extra")), **extra}
    )
    extra_id = made.headers["location"].partition("/details/")[2].partition("?")[0]
    path = f"/admin/do/change_extra/{extra_id}"
    browser.post(path, data={**hidden_fields(browser.get(path)), **extra, "stock": "", "is_active": "on"})
    assert shop.one("SELECT stock FROM extra WHERE id = CAST(:id AS uuid)", id=extra_id) is None
    path = f"/admin/do/change_hall/{house.hall_id}"
    for equipment, kept in (("Drums", ["Drums"]), ("", [])):
        browser.post(
            path, data={**hidden_fields(browser.get(path)), "equipment": equipment, "is_active": "on"}
        )
        assert shop.one("SELECT equipment FROM hall WHERE id = :id", id=house.hall_id) == kept


def test_booking_is_made_from_the_customer_s_page_and_its_own_page_is_a_link_away(house: House) -> None:
    shop, browser = house.office.shop, house.browser
    card = browser.get(f"/admin/customers/details/{shop.customer_id}")
    begun = f"/admin/do/book?customer_id={shop.customer_id}"
    assert f'href="{begun}"' in card.text
    form = browser.get(begun)
    assert "Blue · 8" in form.text
    typed = {
        "customer_id": str(shop.customer_id), "hall_id": str(house.hall_id), "people": "2",
        "starts_at": f"{DAY} 10:00", "ends_at": f"{DAY} 12:00",
    }  # fmt: skip
    shown = foresee(browser, "/admin/do/book", **typed)
    assert "10:00–12:00: the time is kept for the customer, RUB\u00a02,000.00" in shown.text
    made = browser.post("/admin/do/book", data=hidden_fields(shown))
    assert made.headers["location"].startswith("/admin/bookings/list?operation=")
    assert house.apply_all() == ["HoldBooking"]
    booking_id = shop.one("SELECT id FROM booking WHERE studio_id = :studio")
    assert (
        f'href="/admin/bookings/details/{booking_id}">Open the booking'
        in browser.get(made.headers["location"]).text
    )


def test_form_begins_with_what_the_calendar_s_link_says(house: House) -> None:
    begun = {"hall_id": str(house.hall_id), "starts_at": f"{DAY} 10:00", "ends_at": f"{DAY} 11:30"}
    page = house.browser.get(f"/admin/do/book?{urlencode(begun)}")
    assert f'value="{DAY} 11:30"' in page.text
    assert f'<option value="{house.hall_id}" selected>' in page.text


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("tomorrow", "A time such as 2026-12-05 10:00"),
        ("2027-03-28 02:30", "there is no such time"),
        ("2027-10-31 02:30", "write 2027-10-31 02:30+02:00 or 2027-10-31 02:30+01:00"),
    ],
)
def test_time_that_is_none_or_two_is_told_at_its_field(house: House, typed: str, told: str) -> None:
    shop = house.office.shop
    with shop.owner.begin() as connection:
        connection.execute(
            text("UPDATE studio SET timezone = 'Europe/Berlin' WHERE id = :id"), {"id": shop.studio_id}
        )
    fields = {"starts_at": typed, "ends_at": "2027-12-31 12:00"}
    answer = foresee(house.browser, f"/admin/do/block_hall/{house.hall_id}", **fields)
    assert answer.status_code == 422
    assert told in words(answer)
    assert 'name="starts_at"' in answer.text


def test_move_of_a_booking_shows_its_price_before_and_after(house: House) -> None:
    booking_id = house.hold("10:00", "11:00")
    path = f"/admin/do/reschedule_booking/{booking_id}"
    assert f'value="{DAY} 10:00"' in house.browser.get(path).text
    typed = {"hall_id": str(house.hall_id), "people": "2"}
    shown = foresee(house.browser, path, **typed, starts_at=f"{DAY} 14:00", ends_at=f"{DAY} 17:00")
    assert "RUB 1,000.00 before, RUB 3,000.00 then: RUB 2,000.00 more" in words(shown)


def test_taken_time_offers_others_each_of_which_is_one_press_away(house: House) -> None:
    house.hold("10:00", "11:00")
    customer_id = str(house.office.shop.customer_id)
    typed = {"customer_id": customer_id, "hall_id": str(house.hall_id), "people": "3"}
    taken = {"starts_at": f"{DAY} 10:30", "ends_at": f"{DAY} 11:30"}
    refused = foresee(house.browser, "/admin/do/book", **typed, **taken)
    assert "Free instead" in words(refused)
    first = refused.text.partition('class="other-times"')[2].partition("</li>")[0]
    form = hidden_fields(Response(200, text=first))
    assert (form["starts_at"], form["ends_at"]) == (f"{DAY} 11:00", f"{DAY} 12:00")
    assert (form["customer_id"], form["people"]) == (customer_id, "3")
    shown = house.browser.post("/admin/do/book", data=form)
    assert shown.status_code == 200
    assert "Free instead" not in words(shown)
    assert "11:00–12:00" in words(shown)
    confirmed = {name: value for name, value in hidden_fields(refused).items() if name != "preview"}
    done = house.browser.post("/admin/do/book", data={**confirmed, **typed, **taken})
    assert done.status_code == 409
    assert "Free instead" in words(done)


def test_bookings_in_the_way_are_linked_and_can_be_let_go_from_there(house: House) -> None:
    first, second = house.hold("10:00", "11:00"), house.hold("13:00", "14:00")
    closing = {"starts_at": f"{DAY} 09:00", "ends_at": f"{DAY} 18:00", "note": "Repairs"}
    refused = foresee(house.browser, f"/admin/do/block_hall/{house.hall_id}", **closing)
    for booking_id in (first, second):
        assert f'href="/admin/bookings/details/{booking_id}"' in refused.text
    way_out = refused.text.partition('class="in-the-way"')[2].partition("</section>")[0]
    path = f"/admin/do/clear_and_block_hall/{house.hall_id}"
    assert f'action="{path}"' in way_out
    asked = house.browser.post(path, data={**hidden_fields(Response(200, text=way_out)), "change": "1"})
    assert asked.status_code == 200
    assert "Anna" in words(asked)
    form = {**hidden_fields(asked), "booking_ids": f"{first}\n{second}", "reason": "A pipe burst", **closing}
    shown = house.browser.post(path, data=form)
    assert words(shown).count("the booking is canceled and the time is free") == 2
    assert "Blue is closed" in words(shown)


def test_way_out_is_only_for_who_may_take_it(house: House, browse: Browse) -> None:
    booking_id = house.hold("10:00", "11:00")
    support = browse("support", house.office)
    assert support.get(f"/admin/do/clear_and_block_hall/{house.hall_id}").status_code == 403
    page = support.get(f"/admin/bookings/details/{booking_id}")
    assert "waive_cancellation" not in page.text
    assert f"/admin/do/cancel_booking/{booking_id}" in page.text


def test_booking_s_page_has_its_machine_and_links_to_its_hall(house: House) -> None:
    booking_id = house.hold("10:00", "11:00")
    page = house.browser.get(f"/admin/bookings/details/{booking_id}")
    assert "<svg" in page.text
    assert f"/admin/halls/details/{house.hall_id}" in page.text
    assert "10:00–11:00" in page.text
    assert "confirmed" in page.text


def test_list_offers_halls_to_choose_from(house: House) -> None:
    house.hold("10:00", "11:00")
    page = house.browser.get("/admin/bookings/list", params={"hall": str(house.hall_id)})
    assert f'<option value="{house.hall_id}" selected>Blue · 8</option>' in page.text
    assert "1 row" in page.text


def test_change_of_a_price_is_told_as_money_in_the_audit(house: House) -> None:
    typed = {
        "per_hour_minor": "2000",
        "effective_from": (datetime.now(MOSCOW) + timedelta(days=3)).date().isoformat(),
    }
    send_form(house.browser, f"/admin/do/set_tariff/{house.hall_id}", **typed)
    assert "Price of an hour: RUB 1,000.00 → RUB 2,000.00" in words(house.browser.get("/admin/audit/list"))
