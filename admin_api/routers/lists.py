"""Routes of the table of lists: the list, its CSV, and one thing; and what became of a command; and pickers.

Nothing is decided here.
"""

from collections.abc import Callable
from inspect import Parameter, Signature
from typing import Annotated, Any, Final, Generic, Literal, TypeVar, get_args
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, ConfigDict, Field, create_model

from admin_api.desk import PREFIX, Desk
from admin_api.listings import EXPORT_LIMIT, LISTINGS, Filter, Listing, ListQuery, export_csv
from admin_api.listings.cursors import CURSOR_LENGTH_LIMIT
from admin_api.listings.filters import TEXT_LENGTH_LIMIT
from admin_api.listings.searching import SEARCH_LENGTH_LIMIT
from admin_api.people.dependencies import requires
from admin_api.queries.lookups import LOOK_UP_PERMISSIONS, Choice, LookUp, look_up
from admin_api.queries.operations import find_operations
from web.documented import Responses, problems
from web.fields import PAGE_DEFAULT, PAGE_LIMIT
from web.problems import not_found
from web.strict import StrictRoute
from web.views import OperationView, View

MEDIA_TYPE: Final = "text/csv; charset=utf-8"

router = APIRouter(prefix=PREFIX, route_class=StrictRoute)

Row = TypeVar("Row", bound=View)


class PageOf(View, Generic[Row]):
    """`count` is of all that match; with `is_count_capped` there are more than that."""

    items: list[Row]
    next_cursor: str | None
    count: int
    is_count_capped: bool


class Choices(View):
    items: list[Choice]


class _Asked(BaseModel):
    """Parameters of any list; each list adds its filters and the names of its sorts."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    search: Annotated[str, Field(max_length=SEARCH_LENGTH_LIMIT)] = ""
    limit: Annotated[int, Field(ge=1, le=PAGE_LIMIT)] = PAGE_DEFAULT
    cursor: Annotated[
        str | None, Field(max_length=CURSOR_LENGTH_LIMIT, description="`next_cursor` of the page before.")
    ] = None


_ABOUT_KINDS: Final = {
    "choice": "",
    "uuid": "An id.",
    "date_from": "First day, of the studio's calendar: `2026-11-01`.",
    "date_to": "Last day, of the studio's calendar: `2026-11-21`.",
    "flag": "",
    "text": "Exactly this.",
}


def _asked(listing: Listing) -> type[_Asked]:
    sorts = [sign + name for name in listing.sorts for sign in ("", "-")]
    default = listing.default_sort
    fields: dict[str, Any] = {
        "sort": (Literal[tuple(sorts)], Field(default, description="`-` before a name: descending.")),
        **{
            one.name: (_type_of(one), Field(None, description=_ABOUT_KINDS[one.kind]))
            for one in listing.filters
        },
    }
    name = f"{listing.name.title().replace('_', '')}Query"
    return create_model(name, __base__=_Asked, **fields)


def _type_of(one: Filter) -> Any:
    match one.kind:
        case "choice":
            return Literal[one.choices] | None
        case "flag":
            return Literal["true", "false"] | None
        case _:
            return Annotated[str, Field(max_length=TEXT_LENGTH_LIMIT)] | None


def _query(listing: Listing, asked: _Asked) -> ListQuery:
    given = asked.model_dump(exclude_none=True)
    filters = {one.name: given[one.name] for one in listing.filters if one.name in given}
    return ListQuery(asked.search, filters, given["sort"], asked.cursor, 0, asked.limit)


def _lister(listing: Listing) -> Callable[..., View]:
    page_type = PageOf[listing.view]  # type: ignore[name-defined]

    def read(desk: Desk, asked: _Asked) -> View:
        with desk.session() as session:
            page = listing.read(session, _query(listing, asked))
        return page_type(
            items=page.items,
            next_cursor=page.next_cursor,
            count=page.count,
            is_count_capped=page.is_count_capped,
        )

    return _signed(read, listing.permission, page_type, asked=Annotated[_asked(listing), Query()])


def _exporter(listing: Listing) -> Callable[..., Response]:
    def export(desk: Desk, asked: _Asked) -> Response:
        text = export_csv(desk, listing, _query(listing, asked))
        headers = {"Content-Disposition": f'attachment; filename="{listing.name}.csv"'}
        return Response(text, headers=headers, media_type=MEDIA_TYPE)

    return _signed(export, "export", Response, asked=Annotated[_asked(listing), Query()])


def _teller(listing: Listing) -> Callable[..., View]:
    detail = listing.detail
    assert detail is not None, listing.name

    def tell(desk: Desk, thing_id: UUID) -> View:
        return detail(desk, thing_id)

    return _signed(tell, listing.permission, listing.detail_view, thing_id=UUID)


Endpoint = TypeVar("Endpoint", bound=Callable[..., object])


def _signed(endpoint: Endpoint, permission: str, answer: Any, **kinds: Any) -> Endpoint:
    """FastAPI reads parameters from a signature; each list has its own permission and query."""
    kinds = {"desk": Annotated[Desk, Depends(requires(permission))], **kinds}
    parameters = [Parameter(name, Parameter.KEYWORD_ONLY, annotation=kind) for name, kind in kinds.items()]
    endpoint.__signature__ = Signature(parameters, return_annotation=answer)  # type: ignore[attr-defined]
    return endpoint


def _csv_answer() -> Responses:
    described = {"description": "UTF-8 CSV.", "content": {"text/csv": {}}}
    return {200: described, **problems(401, 403)}


def _add(listing: Listing) -> None:
    words = listing.name.replace("_", " ")
    permission = f"Needs the permission `{listing.permission}`."
    router.add_api_route(
        f"/{listing.name}",
        _lister(listing),
        operation_id=f"list_{listing.name}",
        tags=[words],
        summary=f"List: {words}",
        description=f"{permission} Pages follow `next_cursor`.",
        responses=problems(401, 403),
    )
    if listing.is_exportable:
        router.add_api_route(
            f"/{listing.name}.csv",
            _exporter(listing),
            operation_id=f"export_{listing.name}",
            tags=[words],
            summary=f"CSV: {words}",
            description=f"{permission} And `export`. Audited. Nothing at all over {EXPORT_LIMIT} rows.",
            response_class=Response,
            responses=_csv_answer(),
        )
    if listing.detail is not None:
        router.add_api_route(
            f"/{listing.name}/{{thing_id}}",
            _teller(listing),
            operation_id=f"get_{listing.name}",
            tags=[words],
            summary=f"One of: {words}",
            description=permission,
            responses=problems(401, 403, 404),
        )


for _listing in LISTINGS.values():
    _add(_listing)


@router.get(
    "/operations/{command_id}",
    operation_id="get_operation",
    tags=["operations"],
    responses=problems(401, 403, 404),
    summary="What became of a command",
)
def operation(desk: Annotated[Desk, Depends(requires("operations.read"))], command_id: UUID) -> OperationView:
    """Of any command of the studio, whoever gave it."""
    with desk.transaction() as connection:
        found = find_operations(connection, [command_id]).get(command_id)
    if found is None:
        raise not_found()
    return OperationView.of(found)


class _Term(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    term: Annotated[str, Field(max_length=SEARCH_LENGTH_LIMIT)] = ""


def _finder(what: LookUp) -> Callable[..., Choices]:
    def find(desk: Desk, asked: _Term) -> Choices:
        return Choices(items=look_up(desk, what, asked.term))

    return _signed(find, LOOK_UP_PERMISSIONS[what], Choices, asked=Annotated[_Term, Query()])


for _what in get_args(LookUp):
    router.add_api_route(
        f"/look-ups/{_what}",
        _finder(_what),
        operation_id=f"look_up_{_what}",
        tags=["look-ups"],
        summary=f"Pick: {_what}",
        description=f"Needs the permission `{LOOK_UP_PERMISSIONS[_what]}`. The newest where `term` is empty.",
        responses=problems(401, 403),
    )
