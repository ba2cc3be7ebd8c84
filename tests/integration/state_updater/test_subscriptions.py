"""Changing a subscription: another price from the next period on, told to the world; nothing else moves."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from kit.ids import new_id
from tests.databases import Databases
from tests.integration.state_updater.shops import Shop, faults

PERIOD = "SELECT current_period_start, current_period_end FROM subscription WHERE id = :id"


def _active(shop: Shop) -> UUID:
    return UUID(str(shop.pay().subscription_id))


def _price(shop: Shop, subscription_id: UUID) -> Any:
    return shop.one("SELECT price_id FROM subscription WHERE id = :id", id=subscription_id)


def _told(shop: Shop, subscription_id: UUID) -> list[str]:
    rows = shop.rows(
        "SELECT kind FROM outbox WHERE channel = 'event' AND kind LIKE 'subscription.%'"
        " AND body ->> 'subscription_id' = :id ORDER BY sequence",
        id=str(subscription_id),
    )
    return [kind for (kind,) in rows]


def test_a_change_takes_another_price_and_leaves_the_paid_period(shop: Shop) -> None:
    subscription_id, yearly = _active(shop), shop.add_price()
    period, balances = shop.rows(PERIOD, id=subscription_id), shop.balances()
    (answer,) = shop.send(shop.change(subscription_id, yearly))
    assert (answer.state, answer.result) == ("applied", {"subscription_id": str(subscription_id)})
    assert _price(shop, subscription_id) == yearly
    assert shop.state("subscription", subscription_id) == "active"
    assert (shop.rows(PERIOD, id=subscription_id), shop.balances()) == (period, balances)


def test_the_event_names_both_prices(shop: Shop) -> None:
    subscription_id, yearly = _active(shop), shop.add_price()
    shop.tell(shop.change(subscription_id, yearly))
    assert shop.rows(
        "SELECT trigger, from_state, to_state, facts FROM state_event"
        " WHERE aggregate_id = :id ORDER BY version DESC LIMIT 1",
        id=subscription_id,
    ) == [
        ("change", "active", "active", {"price_id": str(yearly), "former_price_id": str(shop.price_id)}),
    ]


def test_the_world_hears_of_a_change_and_of_no_second_activation(shop: Shop) -> None:
    subscription_id = _active(shop)
    shop.tell(shop.change(subscription_id, shop.add_price()))
    assert _told(shop, subscription_id) == [
        "subscription.created", "subscription.activated", "subscription.changed",
    ]  # fmt: skip


def test_two_changes_in_one_group_follow_each_other(shop: Shop) -> None:
    subscription_id, yearly = _active(shop), shop.add_price()
    answers = shop.send(
        shop.change(subscription_id, yearly),
        shop.change(subscription_id, shop.price_id),
        shop.change(subscription_id, shop.price_id),
    )
    assert [answer.problem and answer.problem["code"] for answer in answers] == [
        None, None, "price_unchanged",
    ]  # fmt: skip
    assert _price(shop, subscription_id) == shop.price_id
    assert _told(shop, subscription_id)[2:] == ["subscription.changed"] * 2


def test_only_an_active_subscription_is_changed(shop: Shop) -> None:
    yearly = shop.add_price()
    incomplete, invoice_id = shop.subscribe()
    (answer,) = shop.send(shop.change(incomplete, yearly))
    assert answer.problem == {
        "code": "transition_refused", "machine": "subscription", "state": "incomplete", "trigger": "change",
    }  # fmt: skip
    assert shop.tell(shop.cancel(incomplete, invoice_id), shop.change(incomplete, yearly)) == [
        "applied", "transition_refused",
    ]  # fmt: skip
    assert _price(shop, incomplete) == shop.price_id


def test_a_price_that_is_not_for_sale_is_refused(shop: Shop) -> None:
    subscription_id = _active(shop)
    tomorrow = shop.add_price(effective_from=datetime.now(UTC) + timedelta(days=1))
    assert shop.tell(shop.change(subscription_id, tomorrow)) == ["price_not_available"]
    yearly = shop.add_price(3)
    shop.rows("UPDATE plan SET is_active = false WHERE id = :id", id=shop.plan_id)
    assert shop.tell(shop.change(subscription_id, yearly)) == ["price_not_available"]


def test_prices_and_subscriptions_of_others_are_not_there(shop: Shop, other_shop: Shop) -> None:
    subscription_id, yearly = _active(shop), shop.add_price()
    stranger = shop.add_customer()
    assert (
        shop.tell(
            shop.change(subscription_id, other_shop.add_price()),
            shop.change(new_id(), yearly),
            shop.change(subscription_id, yearly, customer_id=stranger),
        )
        == ["not_found"] * 3
    )
    assert other_shop.tell(other_shop.change(subscription_id, other_shop.price_id)) == ["not_found"]


@pytest.mark.parametrize(
    ("plant", "view"),
    [
        ("DELETE FROM outbox WHERE kind = 'subscription.changed'", "always_step_is_announced"),
        (
            "UPDATE outbox SET kind = 'subscription.activated' WHERE kind = 'subscription.changed'",
            "always_announcement_is_true",
        ),
        ("DELETE FROM outbox WHERE kind = 'look_up_payment'", "always_applied_command_has_effects"),
    ],
)
def test_verification_sees_a_change_that_nobody_was_told_of(
    databases: Databases, plant: str, view: str
) -> None:
    with databases.fresh() as url:
        shop = Shop(url)
        shop.set_up()
        _, _, attempt_id = shop.offer()
        assert shop.tell(shop.change(_active(shop), shop.add_price()), shop.retry(attempt_id)) == [
            "applied", "applied",
        ]  # fmt: skip
        assert faults(url) == []
        shop.rows(plant)
        assert view in {name for name, _ in faults(url)}
        shop.close()
