"""What the platform sees of its studios, and what it never sees."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy.exc import ProgrammingError

from admin_api.dashboards.periods import period_of
from admin_api.dashboards.platform import list_studios, list_users, read_platform
from admin_api.dashboards.views import PlatformDashboard
from admin_api.desk import Desk
from kit.ids import new_id
from tests.integration.admin_api.dashboards.rows import receive
from tests.integration.state_updater.shops import PRICE_MINOR, Shop
from web.problems import Problem

Sit = Callable[..., Desk]
NOON = datetime(2026, 11, 21, 9, tzinfo=UTC)


def read(desk: Desk, shop: Shop | None = None, *asked: str) -> PlatformDashboard:
    return read_platform(desk, period_of(desk, *asked), shop.studio_id if shop else None)


def hire(shop: Shop, role: str, email: str, *, is_gone: bool = False) -> None:
    shop.rows(
        "INSERT INTO staff_member (id, studio_id, email, name, role, deactivated_at)"
        " VALUES (:id, :studio, :email, 'Staff', :role, CASE WHEN :is_gone THEN now() END)",
        id=new_id(), role=role, email=email, is_gone=is_gone,
    )  # fmt: skip


def test_payments_are_told_by_studio_and_day_of_the_platform(shop: Shop, other_shop: Shop, sit: Sit) -> None:
    late = datetime(2026, 11, 20, 20, 30, tzinfo=UTC)
    receive(shop, late, 100)
    receive(shop, late + timedelta(hours=1), 20)
    receive(shop, late, 3, "USD")
    receive(other_shop, late, 5_000)
    desk = sit(shop, "platform_admin", NOON)

    whole, one = read(desk), read(desk, shop)

    mine = [
        (row.on.day, row.currency, row.count, row.received_minor)
        for row in whole.payments_by_studio_and_day
        if row.studio_id == shop.studio_id
    ]
    assert mine == [(20, "RUB", 1, 100), (20, "USD", 1, 3), (21, "RUB", 1, 20)]
    assert [(total.sum.currency, total.sum.amount_minor, total.count) for total in one.numbers.payments] == [
        ("RUB", 120, 2),
        ("USD", 3, 1),
    ]
    assert {row.studio_id for row in one.payments_by_studio_and_day} == {shop.studio_id}
    in_rubles = next(total for total in whole.numbers.payments if total.sum.currency == "RUB")
    assert in_rubles.sum.amount_minor >= 5_120


def test_a_studio_is_active_when_a_command_was_applied(shop: Shop, other_shop: Shop, sit: Sit) -> None:
    shop.pay()
    other_shop.accept(other_shop.issue(new_id()))
    desk = sit(shop, "platform_admin")
    studios = {one.studio_id: one for one in read(desk).studios}
    assert studios[shop.studio_id].is_active
    assert not studios[other_shop.studio_id].is_active
    assert (read(desk, shop).numbers.active_studios, read(desk, other_shop).numbers.active_studios) == (1, 0)
    # A year ago nobody was.
    assert read(desk, shop, "2025-01-01", "2025-01-31").numbers.active_studios == 0


def test_studios_are_shown_with_their_owners_and_counts(shop: Shop, sit: Sit) -> None:
    hire(shop, "owner", "b@studio.example")
    hire(shop, "owner", "a@studio.example")
    hire(shop, "owner", "gone@studio.example", is_gone=True)
    hire(shop, "support", "s@studio.example")
    shop.add_customer()
    shop.pay()
    shop.subscribe()

    board = read(sit(shop, "platform_admin"), shop)

    (studio,) = board.studios
    assert studio.owner_emails == ["a@studio.example", "b@studio.example"]
    assert (studio.customers, studio.staff, studio.invoices) == (2, 3, 2)
    assert (board.numbers.studios, board.numbers.customers, board.numbers.staff) == (1, 2, 3)
    assert [(one.sum.amount_minor, one.count) for one in board.numbers.payments] == [(PRICE_MINOR, 1)]
    assert board.numbers.database_bytes > sum(one.bytes for one in board.volumes) > 0
    assert 0 < studio.bytes_estimate <= sum(one.bytes for one in board.volumes)


def test_no_customer_is_named(shop: Shop, sit: Sit) -> None:
    desk = sit(shop, "platform_admin")
    shown = read(desk).model_dump_json() + list_users(desk).model_dump_json()
    assert "Anna" not in shown
    assert str(shop.customer_id) not in shown
    with desk.services.platform_engine.connect() as connection, pytest.raises(ProgrammingError):
        connection.exec_driver_sql("SELECT name FROM customer")


def test_lists_go_on_where_the_page_before_ended(shop: Shop, other_shop: Shop, sit: Sit) -> None:
    for number in range(3):
        hire(shop, "support", f"{number}@studio.example")
    hire(other_shop, "owner", "other@studio.example")
    desk = sit(shop, "platform_admin")
    first = list_users(desk, shop.studio_id, limit=2)
    second = list_users(desk, shop.studio_id, first.next_cursor, limit=2)
    emails = [user.email for user in first.items + second.items]
    assert emails == ["0@studio.example", "1@studio.example", "2@studio.example"]
    assert second.next_cursor is None
    assert "other@studio.example" in {user.email for user in list_users(desk).items}

    seen, cursor = set(), None
    while True:
        page = list_studios(desk, period_of(desk), cursor, limit=1)
        seen |= {studio.studio_id for studio in page.items}
        if (cursor := page.next_cursor) is None:
            break
    assert {shop.studio_id, other_shop.studio_id} <= seen


def test_days_are_of_the_platforms_own_zone(shop: Shop, other_shop: Shop, sit: Sit) -> None:
    shop.rows("UPDATE studio SET timezone = 'Asia/Vladivostok' WHERE id = :studio")
    receive(other_shop, datetime(2026, 11, 20, 14, 30, tzinfo=UTC), 100)
    (row,) = read(sit(shop, "platform_admin", NOON), other_shop).payments_by_studio_and_day
    assert row.on == date(2026, 11, 21)


def test_no_such_studio_is_not_found(shop: Shop, sit: Sit) -> None:
    desk = sit(shop, "platform_admin")
    with pytest.raises(Problem) as caught:
        read_platform(desk, period_of(desk), new_id())
    assert caught.value.status == 404


@pytest.mark.parametrize("role", ["owner", "manager", "support", "ops"])
def test_studios_people_see_nothing_of_the_platform(shop: Shop, sit: Sit, role: str) -> None:
    desk = sit(shop, role)
    for ask in (lambda: read(desk), lambda: list_users(desk), lambda: list_studios(desk, period_of(desk))):
        with pytest.raises(Problem) as caught:
            ask()
        assert caught.value.status == 403
