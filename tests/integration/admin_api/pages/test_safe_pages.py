import re

import pytest
from fastapi import FastAPI
from httpx import Client
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from admin_api.actions.registry import ACTIONS
from admin_api.listings import LISTINGS
from admin_api.pages.guard import POLICY
from tests.integration.admin_api.conftest import Office
from tests.integration.admin_api.pages.conftest import Browse, Things

NAMES = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "{{ 7 * 7 }}'\"&")
_INLINE = re.compile(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=|javascript:", re.IGNORECASE)
_ATTRIBUTES_OUTSIDE = re.compile(r'(?:src|href)="(?:https?:)?//')


def _pages_with_names(things: Things) -> list[str]:
    return [
        "/admin/",
        *(f"/admin/{name}/list" for name in LISTINGS),
        f"/admin/customers/details/{things.customer}",
        f"/admin/invoices/details/{things.invoice}",
        f"/admin/invoices/details/{things.open_invoice}",
        f"/admin/subscriptions/details/{things.subscription}",
        f"/admin/payments/details/{things.attempt}",
        f"/admin/refunds/details/{things.refund}",
        f"/admin/plans/details/{things.plan}",
        f"/admin/do/add_note/{things.customer}",
        f"/admin/do/create_subscription/{things.customer}",
        f"/admin/do/issue_invoice/{things.customer}",
        f"/admin/do/void_invoice/{things.open_invoice}?reason=%3Cscript%3Ealert(1)%3C/script%3E",
        "/admin/customers/list?search=%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
        "/admin/profile",
        "/admin/nowhere/%3Cscript%3Ealert(1)%3C/script%3E",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_never_a_part_of_the_page(owner: Client, office: Office, things: Things, name: str) -> None:
    with office.shop.owner.begin() as connection:
        named = {"name": name, "id": things.customer}
        connection.execute(text("UPDATE customer SET name = :name WHERE id = :id"), named)
        connection.execute(text("UPDATE plan SET name = :name WHERE id = :id"), {**named, "id": things.plan})
    try:
        for path in _pages_with_names(things):
            page = owner.get(path)
            assert page.status_code in (200, 404), path
            assert name not in page.text, path
            assert "<script>alert" not in page.text, path
            assert "<img src=x" not in page.text, path
    finally:
        with office.shop.owner.begin() as connection:
            named = {"name": "Anna", "id": things.customer}
            connection.execute(text("UPDATE customer SET name = :name WHERE id = :id"), named)
            connection.execute(text("UPDATE plan SET name = 'Месяц' WHERE id = :id"), {"id": things.plan})


def test_nothing_on_any_page_is_inline_or_from_elsewhere(
    owner: Client, browse: Browse, things: Things
) -> None:
    forms = [f"/admin/do/{name}" for name, action in ACTIONS.items() if action.subject is None]
    answers = [owner.get(path) for path in (*_pages_with_names(things), *forms)]
    answers += [browse(None).get(path) for path in ("/admin/login", "/admin/invitation")]
    for page in answers:
        assert page.headers["content-security-policy"] == POLICY, page.url
        assert page.headers["referrer-policy"] == "same-origin"
        assert page.headers["cache-control"] == "no-store"
        assert not _INLINE.search(page.text), (page.url, _INLINE.search(page.text))
        assert not _ATTRIBUTES_OUTSIDE.search(page.text), page.url


def test_what_pages_load_is_there_and_is_kept_by_the_browser(owner: Client) -> None:
    page = owner.get("/admin/invoices/list").text
    loaded = set(re.findall(r'(?:src|href)="(/admin/(?:own|statics)/[^"]+)"', page))
    assert len(loaded) > 3
    for path in loaded:
        answer = owner.get(path)
        assert answer.status_code == 200, path
        assert "max-age" in answer.headers["cache-control"]


@pytest.mark.parametrize(
    "path", ["/admin/own/../words/shell.py", "/admin/own/%2e%2e/site.py", "/admin/statics/../x"]
)
def test_statics_are_only_statics(owner: Client, path: str) -> None:
    assert owner.get(path).status_code in (404, 307, 303)


def test_a_broken_page_says_nothing_of_why(
    app: FastAPI, owner: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object) -> None:
        raise RuntimeError("SELECT secret FROM somewhere")

    monkeypatch.setattr("admin_api.pages.listing_views._read", broken)
    answer = owner.get("/admin/invoices/list")
    assert answer.status_code == 500
    assert "Something went wrong on our side" in answer.text
    assert "secret" not in answer.text
    assert answer.headers["content-security-policy"] == POLICY


def test_a_page_without_storage_asks_for_patience(owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_arguments: object) -> None:
        raise OperationalError("SELECT 1", {}, Exception("no server"))

    monkeypatch.setattr("admin_api.pages.listing_views._read", away)
    answer = owner.get("/admin/invoices/list")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert 'id="menu"' in answer.text
    assert "no server" not in answer.text
