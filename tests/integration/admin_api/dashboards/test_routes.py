"""The dashboards over HTTP: what the JSON API answers, and the pages that show the same numbers."""

import re
from base64 import b64decode
from collections.abc import Callable

import pytest
from httpx import Client

from tests.integration.admin_api.conftest import Office
from tests.integration.state_updater.shops import PRICE_MINOR

SignIn = Callable[..., Client]

BAD_PERIODS = [
    {"from": "2026-11-10", "to": "2026-11-09"},
    {"from": "2024-01-01", "to": "2026-01-01"},
    {"from": "9999-12-31"},
    {"to": "9999-12-31"},
    {"from": "0000-00-00"},
    {"from": "now()"},
    {"from": "1' OR '1'='1"},
    {"from": "\x00"},
    {"preset": "forever"},
    {"period": "30d"},
]


@pytest.fixture(scope="module")
def busy_office(open_office: Callable[[], Office]) -> Office:
    office = open_office()
    office.shop.pay()
    office.shop.subscribe()
    assert office.shop.tell(office.shop.paid(None, None, amount_minor=700)) == ["applied"]
    return office


def test_numbers_are_of_the_persons_own_studio(
    sign_in: SignIn, busy_office: Office, open_office: Callable[[], Office]
) -> None:
    mine = sign_in("support", busy_office).get("/dashboard", params={"preset": "7d"}).json()
    theirs = sign_in("support", open_office()).get("/dashboard").json()
    assert mine["numbers"]["revenue"][0]["net_minor"] == PRICE_MINOR + 700
    assert mine["numbers"]["open_invoices"]["count"] == 1
    assert len(mine["charts"]["revenue_by_day"]) == 7
    assert theirs["numbers"]["revenue"][0]["net_minor"] == 0


@pytest.mark.parametrize("path", ["/dashboard", "/dashboard/declines.csv"])
@pytest.mark.parametrize("asked", BAD_PERIODS, ids=str)
def test_what_is_no_period_is_refused_and_not_repeated(
    sign_in: SignIn, busy_office: Office, path: str, asked: dict[str, str]
) -> None:
    answer = sign_in("owner", busy_office).get(path, params=asked)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    (value,) = list(asked.values())[:1]
    assert value == "30d" or value not in answer.text


def test_platform_refuses_the_same_and_what_is_no_studio(sign_in: SignIn, busy_office: Office) -> None:
    client = sign_in("platform_admin", busy_office)
    for asked in ({"preset": "forever"}, {"studio_id": "x"}, {"to": "9999-12-31"}):
        assert client.get("/platform", params=asked).status_code == 422
    unknown = {"studio_id": "01934b1e-7a40-7c2e-8d8e-3d1f3a9b2c11"}
    assert client.get("/platform", params=unknown).status_code == 404
    for path in ("/platform/users", "/platform/studios"):
        assert client.get(path, params={"limit": 101}).status_code == 422


def test_platform_reads_all_studios_and_pages_of_them(
    sign_in: SignIn, busy_office: Office, other_office: Office
) -> None:
    client = sign_in("platform_admin", other_office)
    whole = client.get("/platform").json()
    assert {busy_office.host, other_office.host} <= {studio["host"] for studio in whole["studios"]}
    one = client.get("/platform", params={"studio_id": str(busy_office.shop.studio_id)}).json()
    assert one["numbers"]["payments"] == [
        {"count": 2, "sum": {"amount_minor": PRICE_MINOR + 700, "currency": "RUB"}}
    ]
    page = client.get("/platform/users", params={"limit": 1}).json()
    assert len(page["items"]) == 1
    assert page["next_cursor"] == page["items"][0]["staff_member_id"]


@pytest.mark.parametrize(
    ("role", "path", "status"),
    [
        ("owner", "/dashboard", 200),
        ("ops", "/dashboard", 200),
        ("platform_admin", "/dashboard", 403),
        ("manager", "/dashboard/revenue_by_day.csv", 200),
        ("support", "/dashboard/revenue_by_day.csv", 403),
        ("manager", "/dashboard/nothing.csv", 404),
        ("platform_admin", "/platform", 200),
        ("owner", "/platform", 403),
        ("owner", "/platform/studios", 403),
        ("owner", "/platform/users", 403),
        ("platform_admin", "/platform/payments_by_studio_and_day.csv", 200),
        ("owner", "/platform/payments_by_studio_and_day.csv", 403),
    ],
)
def test_each_role_reads_what_is_its_own(
    sign_in: SignIn, busy_office: Office, role: str, path: str, status: int
) -> None:
    answer = sign_in(role, busy_office).get(path)
    assert answer.status_code == status
    if path.endswith(".csv") and status == 200:
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert re.fullmatch(
            r'attachment; filename="\w+_\d{4}-\d\d-\d\d_\d{4}-\d\d-\d\d\.csv"',
            answer.headers["content-disposition"],
        )


def test_nobody_reads_without_signing_in(address: str, busy_office: Office) -> None:
    with Client(base_url=f"{address}/admin/api/v1", headers={"Host": busy_office.host}) as client:
        for path in ("/dashboard", "/platform", "/dashboard/declines.csv"):
            assert client.get(path).status_code == 401


def test_page_shows_the_numbers_and_its_pictures_hold_no_script(
    browse: Callable[..., Client], busy_office: Office
) -> None:
    page = browse("owner", busy_office).get("/admin/")
    assert page.status_code == 200
    assert "1,497.00" in page.text.replace("\u00a0", " ")
    pictures = re.findall(r'(?:src|srcset)="data:image/svg\+xml;base64,([^"]+)"', page.text)
    # Money, invoices, attempts and subscriptions; nothing was declined.
    assert len(pictures) == 2 * 4
    for picture in pictures:
        assert b"<script" not in b64decode(picture)
    assert "style=" not in page.text
    assert "No declines in these days" in page.text


def test_page_of_an_empty_studio_says_what_to_do(
    browse: Callable[..., Client], open_office: Callable[[], Office]
) -> None:
    page = browse("manager", open_office()).get("/admin/")
    assert "data:image/svg+xml" not in page.text
    assert "Issue an invoice" in page.text


def test_platform_page_names_studios_as_text(
    browse: Callable[..., Client], open_office: Callable[[], Office]
) -> None:
    office = open_office()
    office.shop.rows("UPDATE studio SET name = '<script>alert(1)</script>' WHERE id = :studio")
    office.shop.pay()
    page = browse("platform_admin", office).get("/admin/platform")
    assert page.status_code == 200
    assert "&lt;script&gt;alert(1)" in page.text
    assert "<script>alert" not in page.text
