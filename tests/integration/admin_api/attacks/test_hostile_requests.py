"""Requests that no page of ours makes: walked addresses, terms of other languages, forms of other kinds."""

import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from itertools import product
from uuid import uuid4

import orjson
import pytest
from fastapi import FastAPI
from httpx import Client, Response

from admin_api.actions.registry import ACTIONS
from admin_api.listings import LISTINGS
from tests.integration.admin_api.conftest import Office
from tests.integration.admin_api.pages.conftest import Browse, Things

SCRIPT = """<script>alert(1)</script>"><img src=x onerror=alert(1)>'{{7*7}}"""
TERMS = (
    "' OR 1=1--",
    "a'); DROP TABLE invoice;--",
    "'a':* & !b | (c",
    "\\'",
    "<->",
    "\x00",
    "a" * 10_000,
    "_ __ @@@ - a-b-c.d",
    "٣٤",
    "\u202e",
    "(a+)+$",
    str(uuid4()),
    SCRIPT,
)
POSITIONS = ("99999999999999999999", "2147483648", "0001-01-01T00:00:00+14:00", "infinity", "\x00", "")
LEAKS = re.compile("traceback|psycopg|sqlalchemy|site-packages|syntax error", re.IGNORECASE)
NAMES = {"identity": LISTINGS, "export_type": ("csv",), "action": ACTIONS, "chart": ("revenue_by_day",)}


def is_sound(answer: Response) -> bool:
    """An answer that was meant: no breakage, nothing of the inside, and no markup of the asker's."""
    return answer.status_code < 500 and not LEAKS.search(answer.text) and "<img src=x" not in answer.text


def addresses(app: FastAPI, things: Things) -> Iterator[str]:
    """Every address that answers a GET, with each thing of the office in each place."""
    ids = [str(getattr(things, name)) for name in Things.__dataclass_fields__]
    paths = {path for path, methods in app.openapi()["paths"].items() if "get" in methods}
    mounted = next(route for route in app.routes if getattr(route, "path", "") == "/admin")
    paths |= {f"/admin{getattr(route, 'path', '')}" for route in getattr(mounted, "routes", [])}
    for path in sorted(paths):
        names = re.findall(r"{(\w+)[^}]*}", path)
        for values in product(*(NAMES.get(name, ids) for name in names)):
            filled = iter(values)
            yield re.sub(r"{[^}]+}", lambda _found, filled=filled: str(next(filled)), path)  # type: ignore[misc]


def test_no_get_or_head_changes_a_row(
    app: FastAPI,
    sign_in: Callable[..., Client],
    browse: Browse,
    things: Things,
    contents: Callable[[], dict[str, str]],
) -> None:
    browser, program = browse("owner"), sign_in("owner")
    before = contents()
    count = 0
    for address in addresses(app, things):
        is_api = address.startswith("/admin/api/v1/")
        client = program if is_api else browser
        for method in ("GET", "HEAD"):
            answer = client.request(method, address.removeprefix("/admin/api/v1") if is_api else address)
            assert is_sound(answer), (method, address, answer.status_code)
            count += 1
    assert count > 500
    assert contents() == before


@pytest.mark.parametrize("name", LISTINGS)
def test_no_term_filter_or_sort_breaks_a_list(
    name: str, sign_in: Callable[..., Client], browse: Browse, things: Things
) -> None:
    listing, browser, program = LISTINGS[name], browse("owner"), sign_in("owner")
    parameters = ["search", "sort", "page", "pks", *(one.name for one in listing.filters)]
    for parameter, term in product(parameters, TERMS):
        assert is_sound(program.get(f"/{name}", params={parameter: term})), (parameter, term)
        assert is_sound(browser.get(f"/admin/{name}/list", params={parameter: term})), (parameter, term)


@pytest.mark.parametrize("name", LISTINGS)
def test_no_forged_cursor_breaks_a_list(name: str, sign_in: Callable[..., Client], things: Things) -> None:
    for sort, value in product(LISTINGS[name].sorts, POSITIONS):
        forged = urlsafe_b64encode(orjson.dumps([name, sort, value, str(uuid4())])).decode().rstrip("=")
        answer = sign_in("owner").get(f"/{name}", params={"sort": sort, "cursor": forged})
        assert is_sound(answer), (sort, value)


@pytest.mark.parametrize("charset", ["utf-8", "raw_unicode_escape", "punycode", "undefined", "nosuch"])
@pytest.mark.parametrize("path", ["/admin/login", "/admin/invitation"])
def test_form_in_any_charset_is_answered_by_a_page(path: str, charset: str, browse: Browse) -> None:
    part = b'--x\r\nContent-Disposition: form-data; name="email"\r\n\r\na\\ud800\xff_.\r\n--x--\r\n'
    kind = f"multipart/form-data; boundary=x; charset={charset}"
    answer = browse(None).post(path, content=part, headers={"Content-Type": kind})
    assert answer.status_code < 500
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("zone", ["right/Europe/Moscow", "Factory", "localtime", "posixrules"])
def test_studio_cannot_live_in_a_zone_that_counts_leap_seconds_or_is_this_machines_own(
    zone: str, office: Office, sign_in: Callable[..., Client]
) -> None:
    wish = {"name": "Йога", "host": f"{uuid4().hex[:8]}.example.org", "owner_email": "anna@example.org"}
    answer = sign_in("platform_admin").post("/studios", json=wish | {"timezone": zone})
    assert answer.status_code == 422


def test_count_of_periods_is_a_whole_number_and_nothing_like_one(
    sign_in: Callable[..., Client], things: Things
) -> None:
    wish = {"amount_minor": 700, "period_unit": "week", "effective_from": "2026-12-30"}
    for count in ("3", 1.0, True):
        answer = sign_in("owner").post(f"/plans/{things.plan}/prices", json=wish | {"period_count": count})
        assert answer.status_code == 422, count
