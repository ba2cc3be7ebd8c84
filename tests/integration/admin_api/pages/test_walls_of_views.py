import asyncio
import re

import pytest
from httpx import Client
from sqladmin import ModelView
from starlette.requests import Request

from admin_api.actions.registry import ACTIONS
from admin_api.listings import LISTINGS
from admin_api.pages.site import KEPT_ROUTES, Site
from models.tables import Base
from tests.integration.admin_api.pages.conftest import Things, foresee

# What a machine or the updater alone writes.
STATE_COLUMNS = frozenset(
    {
        "state",
        "version",
        "head_hash",
        "number",
        "paid_minor",
        "refunded_minor",
        "reserved_minor",
        "total_minor",
    }
)
WRITING = ("create", "edit", "delete", "import", "ajax/lookup", "action/void", "action/delete")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def test_every_list_has_its_view_and_no_other_is_there(site: Site) -> None:
    assert {view.identity for view in site.views} == set(LISTINGS)


@pytest.mark.parametrize("name", sorted(LISTINGS))
@pytest.mark.parametrize("door", WRITING)
def test_nothing_is_written_through_a_view(owner: Client, name: str, door: str) -> None:
    for method in METHODS:
        for path in (f"/admin/{name}/{door}", f"/admin/{name}/{door}/1"):
            answer = owner.request(
                method, path, params={"pks": "1"}, data={"state": "paid"} if method != "GET" else None
            )
            assert answer.status_code in (403, 404, 405), (method, path, answer.status_code)


def test_no_view_lets_anybody_write(site: Site) -> None:
    asyncio.run(_check_views(site))


async def _check_views(site: Site) -> None:
    request = Request({"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""})
    for view in site.views:
        assert isinstance(view, ModelView)
        assert not any((view.can_create, view.can_edit, view.can_delete, view.can_import)), view.identity
        assert not await view.check_can_create(request)
        assert not await view.check_can_import(request)
        for row in (None, object()):
            assert not await view.check_can_edit(request, row)
            assert not await view.check_can_delete(request, row)
        assert not await view.check_can_view_details(request, None)
        assert not view.is_accessible(request), "nobody is signed in here"


def test_only_reading_routes_of_the_framework_are_kept(site: Site) -> None:
    names = {getattr(route, "name", "") for route in site.admin.routes}
    assert names >= KEPT_ROUTES
    assert not names & {"create", "edit", "delete", "import", "ajax_lookup", "file_download", "file_preview"}


@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_no_form_has_a_column_of_state(name: str) -> None:
    assert not STATE_COLUMNS & set(ACTIONS[name].body.model_fields)


def test_every_table_with_a_state_is_thought_of_here() -> None:
    machines = {
        mapper.class_.__tablename__ for mapper in Base.registry.mappers if "head_hash" in mapper.columns
    }
    assert machines == {"booking", "subscription", "invoice", "payment_attempt", "refund"}


def test_a_crafted_state_is_refused_by_a_form(owner: Client, things: Things) -> None:
    path = f"/admin/do/void_invoice/{things.open_invoice}"
    page = foresee(owner, path, reason="twice", state="paid", paid_minor="1")
    assert page.status_code == 200
    assert not re.search(r'name="(state|paid_minor)"', page.text)
