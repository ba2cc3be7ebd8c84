"""Browsers of the pages' tests, and what they find on a page."""

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import pytest
from fastapi import FastAPI
from httpx import Client, Response

from admin_api.pages.site import Site
from kit.ids import new_id
from tests.integration.admin_api.conftest import Office

Browse = Callable[..., Client]

_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')
_TEXTAREA = re.compile(r'<textarea name="([^"]+)" hidden>\n([^<]*)</textarea>')


def hidden_fields(page: Response) -> dict[str, str]:
    """What a form on the page sends along by itself."""
    found = [*_HIDDEN.findall(page.text), *_TEXTAREA.findall(page.text)]
    return {name: html.unescape(value) for name, value in found}


def foresee(browser: Client, path: str, **typed: str) -> Response:
    """Opens the form, fills it and asks what it would do."""
    form = browser.get(path)
    assert form.status_code == 200, form.text
    return browser.post(path, data={**hidden_fields(form), **typed})


def send_form(browser: Client, path: str, **typed: str) -> Response:
    """Opens the form, asks for its effect where it has one, and confirms."""
    page = foresee(browser, path, **typed)
    assert page.status_code == 200, page.text
    return browser.post(path, data=hidden_fields(page))


@dataclass(frozen=True)
class Things:
    """Something of each kind in an office."""

    customer: UUID
    subscription: UUID
    invoice: UUID
    open_invoice: UUID
    attempt: UUID
    refund: UUID
    plan: UUID
    price: UUID


def fill(office: Office) -> Things:
    """A paid subscription with a refund that waits, and an invoice that is open."""
    shop = office.shop
    subscription_id, invoice_id, attempt_id = shop.offer()
    paid = shop.paid(attempt_id, invoice_id, subscription_id)
    refund_id, open_id = new_id(), new_id()
    assert shop.tell(paid, shop.request(refund_id, paid, 10_000), shop.issue(open_id)) == ["applied"] * 3
    return Things(
        shop.customer_id,
        subscription_id,
        invoice_id,
        open_id,
        attempt_id,
        refund_id,
        shop.plan_id,
        shop.price_id,
    )


@pytest.fixture(scope="session")
def site(app: FastAPI) -> Site:
    found = app.state.site
    assert isinstance(found, Site)
    return found


@pytest.fixture(scope="session")
def things(office: Office) -> Things:
    return fill(office)


@pytest.fixture(scope="session")
def other_things(other_office: Office) -> Things:
    return fill(other_office)


@pytest.fixture(scope="session")
def owner(browse: Browse) -> Client:
    return browse("owner")
