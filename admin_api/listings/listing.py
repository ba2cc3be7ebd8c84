"""What a list of the admin is, and the one way to read a page of it: search, filters, sort, cursor, count.

Each room beside this file declares its lists; the JSON API, the pages and the export read them through
here, in a session behind the walls. A sort is offered where an index serves it; rows that a search or a
customer has narrowed down are sorted afterwards, so that the planner never walks all rows in the wanted
order instead.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, SQLColumnExpression, func, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute

from admin_api.desk import Desk
from admin_api.listings.cursors import Position, read_cursor, write_cursor
from admin_api.listings.filters import Filter, conditions_of
from admin_api.listings.searching import SEARCH_LENGTH_LIMIT, Finder
from admin_api.permissions import PERMISSIONS
from admin_api.walls import GuardedSession
from models.tables import Base
from web.fields import PAGE_DEFAULT, PAGE_LIMIT
from web.problems import invalid, not_found
from web.strict import UnstorableText, storable
from web.views import View

COUNT_LIMIT: Final = 10_000
OFFSET_LIMIT: Final = 10_000

Column = InstrumentedAttribute[Any]
AnyRow = Row[*tuple[Any, ...]]
Rows = Sequence[AnyRow]


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What part of a list is wanted. `sort`: a name out of the list's sorts, `-name` for descending, "" for
    its own order. `cursor` or `offset`, not both."""

    search: str = ""
    filters: Mapping[str, str] = field(default_factory=dict)
    sort: str = ""
    cursor: str | None = None
    offset: int = 0
    limit: int = PAGE_DEFAULT


@dataclass(frozen=True, slots=True)
class Page:
    """`count` is of all that match, COUNT_LIMIT at most; `is_count_capped`: there are more."""

    items: list[View]
    next_cursor: str | None
    count: int
    is_count_capped: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """A list: its rows, who may read it, how it is searched, filtered and sorted, and what a row looks like.

    `fields` are the columns that are read, in which `present` shows rows: with a bounded number of further
    queries by their ids. `columns` are fields of `view` for the pages, `narrow` what every row must meet;
    `is_few`: an index leads to the few that do.
    """

    name: str
    model: type[Base]
    permission: str
    view: type[View]
    columns: tuple[str, ...]
    fields: tuple[Column, ...]
    present: Callable[[GuardedSession, Rows], Sequence[View]]
    sorts: Mapping[str, Column]
    default_sort: str
    filters: tuple[Filter, ...] = ()
    search: Finder | None = None
    narrow: tuple[ColumnElement[bool], ...] = ()
    is_few: bool = False
    detail: Callable[[Desk, UUID], View] | None = None
    detail_view: type[View] | None = None
    key_name: str = "id"

    @property
    def key(self) -> Column:
        """What names one row, and breaks ties of a sort."""
        found: Column = getattr(self.model, self.key_name)
        return found

    @property
    def is_exportable(self) -> bool:
        """Whether whoever may export at all may read this list."""
        return PERMISSIONS["export"] <= PERMISSIONS[self.permission]

    def read(self, session: GuardedSession, query: ListQuery) -> Page:
        """One page. Raises Problem 422 for an unknown sort or filter, and for values that cannot be."""
        _check(query)
        order = self._order(query)
        wanted = self._wanted(session, query)
        if wanted is None:
            return Page([], None, 0, False)
        rows = session.execute(self._statement(wanted, order, query, query.limit + 1)).all()
        counted = session.scalar(select(func.count()).select_from(self._capped(wanted))) or 0
        shown = rows[: query.limit]
        return Page(
            items=list(self.present(session, shown)),
            next_cursor=self._cursor_after(shown[-1], query) if len(rows) > query.limit else None,
            count=min(counted, COUNT_LIMIT),
            is_count_capped=counted > COUNT_LIMIT,
        )

    def read_all(self, session: GuardedSession, query: ListQuery, limit: int) -> Sequence[View]:
        """The first `limit` rows that match, for the export. Raises Problem 422 as `read` does."""
        whole = replace(query, cursor=None, offset=0, limit=PAGE_LIMIT)
        _check(whole)
        order = self._order(whole)
        wanted = self._wanted(session, whole)
        if wanted is None:
            return []
        rows = session.execute(self._statement(wanted, order, whole, limit)).all()
        return self.present(session, rows)

    def some(
        self, session: GuardedSession, conditions: Sequence[ColumnElement[bool]], limit: int
    ) -> Sequence[View]:
        """The first `limit` rows that meet `conditions`, to which an index leads, in the list's own order."""
        wanted = _Wanted([*self.narrow, *conditions], is_few=True)
        query = ListQuery()
        rows = session.execute(self._statement(wanted, self._order(query), query, limit)).all()
        return self.present(session, rows)

    def get(self, session: GuardedSession, key: UUID) -> View:
        """One row as the list shows it. Raises Problem 404."""
        found = session.execute(select(*self.fields).where(*self.narrow, self.key == key)).all()
        if not found:
            raise not_found()
        (view,) = self.present(session, found)
        return view

    def _order(self, query: ListQuery) -> tuple[Column, bool]:
        """The column, and whether it descends."""
        sort = query.sort or self.default_sort
        name = sort.removeprefix("-")
        if name not in self.sorts:
            raise invalid(("query.sort", "not_a_sort"))
        return self.sorts[name], sort.startswith("-")

    def _wanted(self, session: GuardedSession, query: ListQuery) -> "_Wanted | None":
        filtered = conditions_of(session, self.filters, query.filters)
        conditions = [*self.narrow, *filtered.conditions]
        is_few = self.is_few or filtered.is_selective
        term = query.search.strip()
        if term:
            if self.search is None:
                raise invalid(("query.search", "not_searchable"))
            found = self.search(session, term)
            if found is None:
                return None
            conditions.append(found)
            is_few = True
        return _Wanted(conditions, is_few)

    def _statement(
        self, wanted: "_Wanted", order: tuple[Column, bool], query: ListQuery, limit: int
    ) -> Select[Any]:
        column, is_descending = order
        statement = select(*self.fields).where(*wanted.conditions)
        position = self._position(query)
        if position is not None:
            here, there = tuple_(*self._by(column)), tuple_(*position.values(*self._by(column)))
            statement = statement.where(here < there if is_descending else here > there)
        by: Sequence[SQLColumnExpression[Any]] = self._by(column)
        if wanted.is_few:
            # OFFSET 0 is what keeps the planner from reading in the outer order.
            fenced = statement.offset(0).subquery()
            by = [fenced.c[each.key] for each in self._by(column)]
            statement = select(fenced)
        ordered = statement.order_by(*(each.desc() if is_descending else each.asc() for each in by))
        return ordered.offset(query.offset).limit(limit)

    def _by(self, column: Column) -> list[Column]:
        """What rows are ordered by: the column, then the key, if that is another one."""
        return [column] if column.key == self.key.key else [column, self.key]

    def _capped(self, wanted: "_Wanted") -> Any:
        return select(self.key).where(*wanted.conditions).limit(COUNT_LIMIT + 1).subquery()

    def _position(self, query: ListQuery) -> Position | None:
        if query.cursor is None:
            return None
        return read_cursor(query.cursor, self.name, query.sort or self.default_sort)

    def _cursor_after(self, row: AnyRow, query: ListQuery) -> str:
        sort = query.sort or self.default_sort
        column = self.sorts[sort.removeprefix("-")]
        return write_cursor(self.name, sort, getattr(row, column.key), getattr(row, self.key.key))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """The conditions; `is_few`: an index leads to the few rows that meet them."""

    conditions: Sequence[ColumnElement[bool]]
    is_few: bool


def with_row_as_detail(listing: Listing) -> Listing:
    """For things that have no more to show than their row."""

    def detail(desk: Desk, key: UUID) -> View:
        with desk.session() as session:
            return listing.get(session, key)

    return replace(listing, detail=detail, detail_view=listing.view)


def _check(query: ListQuery) -> None:
    if not 1 <= query.limit <= PAGE_LIMIT:
        raise invalid(("query.limit", "out_of_range"))
    if not 0 <= query.offset <= OFFSET_LIMIT:
        raise invalid(("query.offset", "out_of_range"))
    if query.cursor is not None and query.offset:
        raise invalid(("query.cursor", "with_an_offset"))
    if len(query.search) > SEARCH_LENGTH_LIMIT:
        raise invalid(("query.search", "too_long"))
    try:
        storable(query.search)
    except UnstorableText:
        raise invalid(("query.search", "not_storable")) from None
