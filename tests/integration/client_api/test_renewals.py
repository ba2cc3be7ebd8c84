"""What a customer sees of a subscription that is renewed."""

from uuid import UUID

import pytest

from billing.periods import PeriodUnit
from billing.subscriptions import renewal_invoice_id
from client_api.queries.invoices import get_invoice
from client_api.queries.subscriptions import get_subscription
from storage.database import tenant
from tests.integration.state_updater.shops import PRICE_MINOR, Shop


@pytest.mark.parametrize("unit", ["day", "week", "month", "year"])
def test_the_latest_invoice_is_the_one_of_the_period_to_come(api_database: str, unit: PeriodUnit) -> None:
    shop = Shop(api_database)
    shop.set_up()
    shop.price_id = shop.add_price(PRICE_MINOR, period_unit=unit)
    subscription_id = UUID(str(shop.pay().subscription_id))
    with tenant(shop.api, shop.studio_id) as connection:
        first = get_subscription(connection, shop.customer_id, subscription_id)
        assert first.current_period_end is not None
        assert first.latest_invoice_id is not None
        paid = get_invoice(connection, shop.customer_id, first.latest_invoice_id)
    assert (paid.state, paid.period_start, paid.period_end) == ("paid", None, None)
    assert shop.tell(shop.renew(subscription_id, first.current_period_end)) == ["applied"]
    with tenant(shop.api, shop.studio_id) as connection:
        latest = get_subscription(connection, shop.customer_id, subscription_id).latest_invoice_id
        assert latest == renewal_invoice_id(subscription_id, first.current_period_end)
        renewal = get_invoice(connection, shop.customer_id, latest)
    assert (renewal.state, renewal.period_start) == ("open", first.current_period_end)
    assert renewal.period_end is not None
    assert renewal.period_end > first.current_period_end
    shop.close()


def test_a_renewal_that_was_voided_hides_no_paid_invoice(api_database: str) -> None:
    shop = Shop(api_database)
    shop.set_up()
    subscription_id = UUID(str(shop.pay().subscription_id))
    with tenant(shop.api, shop.studio_id) as connection:
        first = get_subscription(connection, shop.customer_id, subscription_id)
    assert first.current_period_end is not None
    renewal_id = renewal_invoice_id(subscription_id, first.current_period_end)
    let_end = shop.cancel(subscription_id, renewal_id, at_period_end=True)
    assert shop.tell(shop.renew(subscription_id, first.current_period_end), let_end) == ["applied"] * 2
    with tenant(shop.api, shop.studio_id) as connection:
        latest = get_subscription(connection, shop.customer_id, subscription_id).latest_invoice_id
        assert get_invoice(connection, shop.customer_id, renewal_id).state == "void"
        assert latest is not None
        shown = get_invoice(connection, shop.customer_id, latest)
    assert (shown.id, shown.allowed_actions) == (first.latest_invoice_id, ["request_refund"])
    shop.close()


def test_the_only_invoice_is_shown_whatever_became_of_it(api_database: str) -> None:
    shop = Shop(api_database)
    shop.set_up()
    subscription_id, invoice_id = shop.subscribe()
    assert shop.tell(shop.cancel(subscription_id, invoice_id)) == ["applied"]
    with tenant(shop.api, shop.studio_id) as connection:
        assert get_subscription(connection, shop.customer_id, subscription_id).latest_invoice_id == invoice_id
    shop.close()
