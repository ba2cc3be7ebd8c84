"""A chart's CSV: what is in it, who may take it, and that it is written down who took it."""

import csv
from collections.abc import Callable
from datetime import UTC, datetime
from io import StringIO

import pytest

from admin_api.dashboards.charts import CHARTS
from admin_api.dashboards.export import export_chart, export_platform_chart, file_name
from admin_api.dashboards.periods import period_of
from admin_api.dashboards.platform import PLATFORM_CHARTS
from admin_api.desk import Desk
from billing.ledger import Posting
from tests.integration.admin_api.dashboards.rows import attempt, post, receive
from tests.integration.state_updater.shops import Shop
from web.problems import Problem

Sit = Callable[..., Desk]
NOON = datetime(2026, 11, 21, 9, tzinfo=UTC)


def rows_of(desk: Desk, name: str) -> list[list[str]]:
    sheet = export_chart(desk, name, period_of(desk))
    return list(csv.reader(StringIO(sheet.removeprefix("\ufeff"))))


def test_sums_are_in_major_units_beside_their_currency(shop: Shop, sit: Sit) -> None:
    post(shop, Posting.PAYMENT_MATCHED, 149_050, NOON)
    post(shop, Posting.REFUND_MATCHED, 200_000, NOON)
    post(shop, Posting.PAYMENT_UNAPPLIED, 7, NOON, currency="JPY")
    head, *rows = rows_of(sit(shop, now=NOON), "revenue_by_day")
    assert head == ["on", "received", "refunded", "net", "currency"]
    assert rows[-2:] == [
        ["2026-11-21", "7", "0", "7", "JPY"],
        ["2026-11-21", "1490.50", "2000.00", "-509.50", "RUB"],
    ]
    assert len(rows) == 31


@pytest.mark.parametrize("code", ["=1+1", "+7", "-2+3", "@SUM(A1)", '=HYPERLINK("http://x","y")'])
def test_a_providers_code_is_no_formula(shop: Shop, sit: Sit, code: str) -> None:
    attempt(shop, "declined", NOON, decline=("hard", code))
    (_head, row) = rows_of(sit(shop, now=NOON), "declines")
    assert row == ["hard", f"'{code}", "1"]


def test_a_studios_name_is_no_formula(shop: Shop, sit: Sit) -> None:
    shop.rows("UPDATE studio SET name = '=cmd()' WHERE id = :studio")
    receive(shop, NOON, 100)
    desk = sit(shop, "platform_admin", NOON)
    sheet = export_platform_chart(desk, "payments_by_studio_and_day", period_of(desk), shop.studio_id)
    assert sheet.splitlines()[1:] == ["2026-11-21,'=cmd(),1,1.00,RUB"]


@pytest.mark.parametrize("name", CHARTS)
def test_every_chart_has_its_csv_and_every_taking_is_audited(shop: Shop, sit: Sit, name: str) -> None:
    desk = sit(shop, "manager", NOON)
    head, *rows = rows_of(desk, name)
    assert len(head) == len(CHARTS[name].columns)
    audited = shop.rows(
        "SELECT principal, action, facts, host(remote_address) FROM audit WHERE studio_id = :studio"
    )
    facts = {"chart": name, "from": "2026-10-23", "to": "2026-11-21", "rows": len(rows)}
    assert audited == [(desk.principal, "export", facts, "127.0.0.1")]


@pytest.mark.parametrize("role", ["support", "ops", "platform_admin"])
def test_who_may_not_export_gets_nothing_and_leaves_no_trace(shop: Shop, sit: Sit, role: str) -> None:
    with pytest.raises(Problem) as caught:
        rows_of(sit(shop, role), "declines")
    assert caught.value.status == 403
    assert shop.one("SELECT count(*) FROM audit WHERE studio_id = :studio") == 0


@pytest.mark.parametrize("name", ["", "revenue", "../secret", "declines'--", *PLATFORM_CHARTS])
def test_an_unknown_chart_is_not_found(shop: Shop, sit: Sit, name: str) -> None:
    with pytest.raises(Problem) as caught:
        rows_of(sit(shop), name)
    assert caught.value.status == 404


def test_file_names_say_the_period(shop: Shop, sit: Sit) -> None:
    desk = sit(shop, now=NOON)
    assert file_name("declines", period_of(desk)) == "declines_2026-10-23_2026-11-21.csv"
