"""Plans and the price setter: a version is never edited, and its reach is told before it is set."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from kit.ids import new_id
from storage import catalog
from storage.studios import create_price
from tests.databases import owner_engine
from tests.integration.admin_api.actions.clerk import Clerk, activate
from tests.integration.state_updater.shops import PRICE_MINOR
from web.problems import Problem

MOSCOW = ZoneInfo("Europe/Moscow")
TODAY = datetime.now(MOSCOW).date()
NEW_MINOR = PRICE_MINOR + 10_000


def day(ahead: int) -> date:
    return TODAY + timedelta(days=ahead)


def start_of(on: date) -> datetime:
    return datetime.combine(on, time(), MOSCOW).astimezone(UTC)


def wish(ahead: int, amount_minor: int = NEW_MINOR, **more: object) -> dict[str, object]:
    return {"amount_minor": amount_minor, "effective_from": day(ahead).isoformat()} | more


def test_price_begins_with_its_day_as_a_new_version_and_the_old_row_stays(manager: Clerk) -> None:
    shop = manager.shop
    before = shop.rows("SELECT * FROM price WHERE id = :id", id=shop.price_id)
    price_id = manager.press("set_price", shop.plan_id, **wish(10)).subject_id
    ((version, amount_minor, effective_from, currency),) = shop.rows(
        "SELECT version, amount_minor, effective_from, currency FROM price WHERE id = :id", id=price_id
    )
    assert (version, amount_minor, currency) == (2, NEW_MINOR, "RUB")
    assert effective_from == start_of(day(10))
    assert shop.rows("SELECT * FROM price WHERE id = :id", id=shop.price_id) == before
    ((changed_from, changed_to),) = shop.rows(
        "SELECT before, after FROM audit WHERE subject_id = :id AND action = 'set_price'", id=shop.plan_id
    )
    assert (changed_from["amount_minor"], changed_to["amount_minor"]) == (PRICE_MINOR, NEW_MINOR)


def test_today_means_at_once_and_a_wrong_price_can_be_set_right_the_same_day(manager: Clerk) -> None:
    shop = manager.shop
    manager.press("set_price", shop.plan_id, **wish(0))
    right = manager.press("set_price", shop.plan_id, **wish(0, NEW_MINOR + 1)).subject_id
    assert manager.tell("create_subscription", shop.customer_id, price_id=right) == "applied"


def test_a_button_pressed_twice_is_one_version_and_one_audit(manager: Clerk) -> None:
    shop = manager.shop
    pressed = [manager.press("set_price", shop.plan_id, key="once", **wish(3)) for _ in range(2)]
    assert pressed[0] == pressed[1]
    assert shop.one("SELECT count(*) FROM price WHERE plan_id = :id", id=shop.plan_id) == 2
    assert manager.audits(shop.plan_id) == ["set_price"]
    with pytest.raises(Problem) as reused:
        manager.press("set_price", shop.plan_id, key="once", **wish(4))
    assert reused.value.code == "idempotency_key_reused"


def test_one_form_sent_by_two_threads_is_one_version(manager: Clerk) -> None:
    shop = manager.shop

    def press(_number: int) -> object:
        return manager.press("set_price", shop.plan_id, key="once", **wish(3))

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(press, range(4)))) == 1
    assert shop.one("SELECT count(*) FROM price WHERE plan_id = :id", id=shop.plan_id) == 2


def test_of_two_managers_at_once_the_second_is_told_that_the_day_is_taken(
    manager: Clerk, owner: Clerk
) -> None:
    shop = manager.shop

    def press(clerk: Clerk) -> str:
        amount_minor = NEW_MINOR if clerk is owner else NEW_MINOR + 1
        try:
            clerk.press("set_price", shop.plan_id, **wish(5, amount_minor))
        except Problem as problem:
            return problem.code
        return "set"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(press, (manager, owner))) == ["price_date_taken", "set"]
    assert shop.one("SELECT count(*) FROM price WHERE plan_id = :id", id=shop.plan_id) == 2


def test_price_waits_for_the_manager_who_is_setting_one_now(manager: Clerk, admin_database: str) -> None:
    shop = manager.shop
    with ThreadPoolExecutor(1) as pool, owner_engine(admin_database).connect() as first:
        catalog.get_plan(first, shop.plan_id, lock=True)
        second = pool.submit(manager.press, "set_price", shop.plan_id, **wish(5))
        with pytest.raises(TimeoutError):
            second.result(timeout=0.5)
        create_price(
            first,
            new_id(),
            studio_id=shop.studio_id,
            plan_id=shop.plan_id,
            amount_minor=NEW_MINOR + 1,
            period_unit="month",
            effective_from=start_of(day(5)),
        )
        first.commit()
        with pytest.raises(Problem) as taken:
            second.result(timeout=10)
    assert taken.value.code == "price_date_taken"


def test_two_managers_on_two_days_make_two_versions(manager: Clerk, owner: Clerk) -> None:
    shop = manager.shop
    with ThreadPoolExecutor(2) as pool:
        list(
            pool.map(
                lambda asked: asked[0].press(
                    "set_price", shop.plan_id, **wish(asked[1], NEW_MINOR + asked[1])
                ),
                ((manager, 5), (owner, 6)),
            )
        )
    assert shop.rows("SELECT version FROM price WHERE plan_id = :id ORDER BY 1", id=shop.plan_id) == [
        (1,),
        (2,),
        (3,),
    ]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        (wish(-1), "price_date_past"),
        (wish(4_000), "price_date_too_far"),
        (wish(5, PRICE_MINOR), "price_unchanged"),
    ],
)
def test_price_is_refused_before_anything_is_written(
    manager: Clerk, fields: dict[str, object], code: str
) -> None:
    shop = manager.shop
    assert manager.codes("set_price", shop.plan_id, **fields) == [code]
    with pytest.raises(Problem) as refused:
        manager.press("set_price", shop.plan_id, **fields)
    assert (refused.value.status, refused.value.code) == (409, code)
    assert shop.one("SELECT count(*) FROM price WHERE plan_id = :id", id=shop.plan_id) == 1
    assert manager.audits(shop.plan_id) == []


@pytest.mark.parametrize("amount_minor", [0, -1, 1.5, "149000", 10**15, True, None])
def test_price_of_nothing_or_of_part_of_a_kopeck_is_not_understood(
    manager: Clerk, amount_minor: object
) -> None:
    with pytest.raises(ValidationError):
        manager.press("set_price", manager.shop.plan_id, **wish(5) | {"amount_minor": amount_minor})


def test_form_says_how_many_subscriptions_renew_at_the_new_price_and_from_when(manager: Clerk) -> None:
    shop = manager.shop
    soon, later = start_of(day(5)) + timedelta(hours=12), start_of(day(20)) + timedelta(hours=12)
    activate(shop, later)
    activate(shop, soon)
    shop.subscribe()  # incomplete: it renews nothing
    begins, reach = manager.foresee("set_price", shop.plan_id, **wish(10)).lines
    assert (begins.code, begins.facts["date"]) == ("price.begins", day(10).isoformat())
    assert reach.code == "price.renewals"
    assert reach.facts == {
        "count": 2,
        "date": day(20).isoformat(),
        "old_amount_minor": PRICE_MINOR,
        "new_amount_minor": NEW_MINOR,
        "difference_minor": 2 * (NEW_MINOR - PRICE_MINOR),
        "currency": "RUB",
    }


def test_new_price_reaches_neither_what_is_ending_nor_the_period_that_is_invoiced(manager: Clerk) -> None:
    shop, ends_at = manager.shop, start_of(day(20)) + timedelta(hours=12)
    ending, invoiced = activate(shop, ends_at), activate(shop, ends_at)
    assert shop.tell(
        shop.cancel(ending, None, at_period_end=True), shop.renew(invoiced, ends_at)
    ) == ["applied"] * 2  # fmt: skip
    renewed_until = shop.one(
        "SELECT period_end FROM invoice WHERE subscription_id = :id AND state = 'open'", id=invoiced
    )
    _, reach = manager.foresee("set_price", shop.plan_id, **wish(10)).lines
    assert (reach.facts["count"], reach.facts["date"]) == (
        1, renewed_until.astimezone(ends_at.tzinfo).date().isoformat(),
    )  # fmt: skip


def test_price_of_another_period_reaches_nobody(manager: Clerk) -> None:
    activate(manager.shop, start_of(day(5)))
    codes = manager.codes("set_price", manager.shop.plan_id, **wish(1, period_unit="year"))
    assert codes == ["price.begins", "price.reaches_nobody"]


def test_plan_is_made_once_and_its_code_is_taken_then(manager: Clerk) -> None:
    plan = {"code": "guitar", "name": "Гитара"}
    done = manager.press("create_plan", key="once", **plan)
    assert manager.press("create_plan", key="once", **plan) == done
    assert manager.audits(done.subject_id) == ["create_plan"]
    with pytest.raises(Problem) as taken:
        manager.press("create_plan", **plan)
    assert (taken.value.status, taken.value.code) == (409, "plan_code_taken")


def test_plan_taken_off_sale_keeps_what_was_not_given(manager: Clerk) -> None:
    shop = manager.shop
    manager.press("change_plan", shop.plan_id, is_active=False)
    assert shop.rows("SELECT name, is_active FROM plan WHERE id = :id", id=shop.plan_id) == [("Месяц", False)]
    assert shop.rows("SELECT before, after FROM audit WHERE subject_id = :id", id=shop.plan_id) == [
        ({"is_active": True}, {"is_active": False})
    ]
    with pytest.raises(Problem) as price:
        manager.press("create_subscription", shop.add_customer(), price_id=shop.plan_id)
    assert price.value.status == 404
    assert manager.codes("create_subscription", shop.customer_id, price_id=shop.price_id) == [
        "price_not_available"
    ]


def test_plan_of_another_studio_is_not_there(manager: Clerk, stranger: Clerk) -> None:
    plan_id = manager.shop.plan_id
    for name, fields in (("change_plan", {"name": "Моё"}), ("set_price", wish(5))):
        with pytest.raises(Problem) as absent:
            stranger.press(name, plan_id, **fields)
        assert absent.value.status == 404
    with pytest.raises(Problem) as unforeseen:
        stranger.foresee("set_price", plan_id, **wish(5))
    assert unforeseen.value.status == 404


def test_version_that_another_took_the_place_of_is_not_sold_any_more(manager: Clerk) -> None:
    """Nor one that is still to come: staff sells what customers could take themselves."""
    shop = manager.shop
    active = activate(shop, datetime.now(UTC) + timedelta(days=20))
    coming = manager.press("set_price", shop.plan_id, **wish(10)).subject_id
    now = manager.press("set_price", shop.plan_id, **wish(0, NEW_MINOR + 1)).subject_id
    for price_id in (shop.price_id, coming):
        for action, subject in (("create_subscription", shop.customer_id), ("change_subscription", active)):
            with pytest.raises(Problem) as refused:
                manager.press(action, subject, price_id=price_id)
            assert (refused.value.status, refused.value.code) == (409, "price_not_available")
    assert manager.press("create_subscription", shop.customer_id, price_id=now).operation is not None
