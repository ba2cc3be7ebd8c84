"""One sqladmin view for each listing: a page of rows, a page of one thing, a CSV. Nothing else, for anybody.

All three are the functions that the JSON API calls; sqladmin's own queries, forms and exports are unused.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Final
from urllib.parse import urlencode
from uuid import UUID

from pydantic import BaseModel
from sqladmin import ModelView
from sqladmin.pagination import Pagination
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import StreamingResponse

from admin_api.actions.registry import ACTIONS
from admin_api.desk import Desk
from admin_api.listings import LISTINGS, Filter, Listing, ListQuery, Page, export_csv
from admin_api.listings.operations import AUDIT, AuditRow
from admin_api.pages import audit, invitations, things
from admin_api.pages.buttons import creators
from admin_api.pages.cells import Cell, cell_of, field_cell, href_of, label_of, shown, state_cell
from admin_api.pages.doors import desk_of, language_of
from admin_api.pages.formats import number_text
from admin_api.pages.frame import tell
from admin_api.pages.watching import notice_of
from admin_api.pages.words import knows
from admin_api.queries.lookups import LOOK_UP_PERMISSIONS, look_up
from admin_api.queries.operations import latest_operations
from web.operations import Operation
from web.problems import invalid, not_found

PAGE_SIZE: Final = 20
HALL: Final = "hall"
PAGE_NUMBER_LIMIT: Final = 500
_PAGE: Final = re.compile("[0-9]{1,3}")
# Parameters of a list's page that are not filters.
_OWN_PARAMETERS: Final = frozenset({"search", "sort", "page", "operation", "saved", "lang"})


@dataclass(frozen=True, slots=True)
class Row:
    """One row as shown: its cells, where it leads, and how its latest command stands."""

    cells: list[Cell]
    href: str | None
    operation: Cell | None


@dataclass
class CountedPagination(Pagination):
    """sqladmin's page of rows, and in words how many there are on all pages."""

    count_text: str = ""

    def add_pagination_urls(self, base_url: URL) -> None:
        """Links without a host: behind a proxy ours may be another one than the browser's."""
        super().add_pagination_urls(URL(f"{base_url.path}?{base_url.query}"))


class ListingView(ModelView):
    """What all views share; `listing_view` makes one for each listing."""

    listing: ClassVar[Listing]

    can_create = can_edit = can_delete = can_import = False
    can_export = True
    export_types: ClassVar[list[str]] = ["csv"]
    list_template = "listing.html"
    details_template = "thing.html"

    async def list(self, request: Request) -> Pagination:
        """The rows that the query of the address asks for. Raises Problem 422 for what it cannot mean."""
        query = read_query(self.listing, request)
        desk = desk_of(request)
        page, operations = await run_in_threadpool(_read, desk, self.listing, query)
        rows = (
            await run_in_threadpool(_sentences, request, page)
            if self.identity == AUDIT.name
            else [_row(request, self.listing, item, operations) for item in page.items]
        )
        number, count = query.offset // PAGE_SIZE + 1, max(page.count, query.offset + 1)
        return CountedPagination(rows, number, PAGE_SIZE, count, count_text=_count_text(request, page))

    async def list_context(self, request: Request) -> dict[str, Any]:
        """What the template shows beside the rows."""
        creating = await run_in_threadpool(creators, request, self.listing.name)
        return {
            "title": tell(request, f"listing.{self.listing.name}"),
            "heads": _heads(request, self.listing),
            "filters": await run_in_threadpool(_filter_fields, request, self.listing),
            "buttons": creating,
            "may_export": await self.check_can_export(request),
            "export_query": _query_without(request, "page", "operation", "saved"),
            "beside": await run_in_threadpool(invitations.table, request)
            if self.identity == "staff"
            else None,
            "notice": await run_in_threadpool(notice_of, request),
        }

    async def get_object_for_details(self, request: Request) -> Any:
        """The view of one thing, read once for a request. Raises Problem 404."""
        if not hasattr(request.state, "thing"):
            detail = self.listing.detail
            if detail is None:
                raise not_found()
            thing_id = _uuid(request.path_params["pk"])
            # First: what is said to be done shall be seen in what is read after it.
            request.state.notice = await run_in_threadpool(notice_of, request)
            request.state.thing = await run_in_threadpool(detail, desk_of(request), thing_id)
        return request.state.thing

    async def details_context(self, request: Request) -> dict[str, Any]:
        """What the page of one thing shows, by its kind."""
        thing = await self.get_object_for_details(request)
        return await run_in_threadpool(things.context, request, self.listing, thing)

    async def check_can_view_details(self, request: Request, model: Any) -> bool:
        return model is not None and await super().check_can_view_details(request, model)

    async def check_can_edit(self, request: Request, model: Any) -> bool:
        return False

    async def check_can_delete(self, request: Request, model: Any) -> bool:
        return False

    async def check_can_create(self, request: Request) -> bool:
        return False

    async def check_can_import(self, request: Request) -> bool:
        return False

    async def get_model_objects(self, request: Request, limit: int | None = 0) -> Any:
        """Nothing: the export reads for itself, below."""
        return []

    async def export_data(
        self, data: Any, export_type: str = "csv", request: Request | None = None
    ) -> StreamingResponse:
        """The CSV of the JSON API, for the same query, audited."""
        assert request is not None, "sqladmin hands its request on"
        query = read_query(self.listing, request)
        text = await run_in_threadpool(export_csv, desk_of(request), self.listing, query)
        name = f"{self.listing.name}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(iter([text]), headers=headers, media_type="text/csv; charset=utf-8")


def listing_view(listing: Listing) -> type[ListingView]:
    """The view class of one listing, known to sqladmin by the listing's name."""

    class View(ListingView, model=listing.model):
        pass

    View.__name__ = f"{listing.name.title().replace('_', '')}View"
    View.identity = listing.name
    View.listing = listing
    View.name = View.name_plural = listing.name
    return View


def read_query(listing: Listing, request: Request) -> ListQuery:
    """The query of a list's address. Raises Problem 422 for a parameter that is none of the list's."""
    given = {name: value for name, value in request.query_params.items() if value != ""}
    names = {one.name for one in listing.filters}
    unknown = sorted(given.keys() - names - _OWN_PARAMETERS)
    if unknown:
        raise invalid(("query", "unknown_parameter"))
    page = given.get("page", "1")
    if not _PAGE.fullmatch(page) or not 1 <= int(page) <= PAGE_NUMBER_LIMIT:
        raise invalid(("query.page", "not_a_page"))
    return ListQuery(
        search=given.get("search", ""),
        filters={name: value for name, value in given.items() if name in names},
        sort=given.get("sort", ""),
        offset=(int(page) - 1) * PAGE_SIZE,
        limit=PAGE_SIZE,
    )


def _read(desk: Desk, listing: Listing, query: ListQuery) -> tuple[Page, dict[UUID, Operation]]:
    with desk.session() as session:
        page = listing.read(session, query)
    ids = [item_id for item in page.items if isinstance(item_id := getattr(item, "id", None), UUID)]
    has_commands = any(action.is_command for action in ACTIONS.values() if action.subject == listing.name)
    if not ids or not has_commands:
        return page, {}
    with desk.transaction() as connection:
        return page, latest_operations(connection, ids)


def _row(request: Request, listing: Listing, item: BaseModel, operations: dict[UUID, Operation]) -> Row:
    item_id = getattr(item, "id", None)
    operation = operations.get(item_id) if isinstance(item_id, UUID) else None
    href = href_of(request, listing.name, item_id)
    cells = [field_cell(request, listing.name, item, name) for name in shown(listing.columns)]
    if href and not getattr(item, listing.columns[0]):
        # The way to the page needs words to press.
        cells[0] = Cell(tell(request, "page.open"), "short")
    return Row(
        cells,
        href,
        state_cell(request, "operation", operation.state) if operation else None,
    )


def _sentences(request: Request, page: Page) -> list[Row]:
    """The audit is read as a story, not as codes."""
    items = [item for item in page.items if isinstance(item, AuditRow)]
    rows = zip(items, audit.rows_of(request, items), strict=True)
    return [Row(cells, href_of(request, AUDIT.name, item.id), None) for item, cells in rows]


def _heads(request: Request, listing: Listing) -> list[dict[str, str | None]]:
    if listing is not LISTINGS[AUDIT.name]:
        return [_head(request, listing, name) for name in shown(listing.columns)]
    return [{**_head(request, listing, name), "label": audit.head_of(request, name)} for name in audit.HEADS]


def _head(request: Request, listing: Listing, name: str) -> dict[str, str | None]:
    """A column's heading; where the list can be sorted by it, with the link that does."""
    current = request.query_params.get("sort", "")
    wanted = f"-{name}" if current == name else name
    direction = "up" if current == name else "down" if current == f"-{name}" else None
    href = f"?{_query_without(request, 'page', 'operation', 'saved', sort=wanted)}"
    return {
        "label": label_of(request, listing.name, name),
        "href": href if name in listing.sorts else None,
        "direction": direction,
    }


def _filter_fields(request: Request, listing: Listing) -> list[dict[str, Any]]:
    return [_filter_field(request, listing, one) for one in listing.filters]


def _filter_field(request: Request, listing: Listing, one: Filter) -> dict[str, Any]:
    value = request.query_params.get(one.name, "")
    return {
        "name": one.name,
        "kind": one.kind,
        # Nobody types an id: such a filter comes by a link, and is only shown to be taken away. Halls are
        # few enough to choose from.
        "is_hidden": one.kind == "uuid" and one.name != HALL and not value,
        "label": tell(request, f"filter.{one.name}")
        if knows(f"filter.{one.name}")
        else label_of(request, listing.name, one.name),
        "value": value,
        "options": _options(request, listing, one),
    }


def _options(request: Request, listing: Listing, one: Filter) -> list[tuple[str, str]]:
    names: Iterable[str] = one.choices or (("true", "false") if one.kind == "flag" else ())
    options = [(name, _option_text(request, listing, one, name)) for name in names]
    if one.name == HALL and desk_of(request).person.may(LOOK_UP_PERMISSIONS["halls"]):
        return [(str(hall.id), hall.text) for hall in look_up(desk_of(request), "halls", "")]
    if (listing.name, one.name) == (AUDIT.name, "action"):
        options = sorted(audit.kinds(request), key=lambda kind: kind[1])
    return options


def _option_text(request: Request, listing: Listing, one: Filter, option: str) -> str:
    if one.kind == "flag":
        return tell(request, "page.yes" if option == "true" else "page.no")
    return cell_of(request, listing.name, one.name, option).text


def _query_without(request: Request, *names: str, **more: str) -> str:
    kept = {name: value for name, value in request.query_params.items() if name not in names and value}
    return urlencode({**kept, **more})


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise not_found() from None


def _count_text(request: Request, page: Page) -> str:
    """How many rows there are, or that they are more than anybody counts."""
    number = number_text(page.count, language_of(request))
    if page.is_count_capped:
        return tell(request, "list.capped", {"number": number})
    return tell(request, "list.count", {"number": number, "count": page.count})
