"""A list as CSV for a spreadsheet: the rows that a query finds, at most EXPORT_LIMIT, and who took them.

What a spreadsheet would take for a formula is made text; plain negative numbers stay numbers.
"""

import csv
import io
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from operator import attrgetter
from typing import Final, get_args

import orjson
from babel.numbers import get_currency_precision

from admin_api.desk import Desk
from admin_api.listings.listing import Listing, ListQuery
from admin_api.queries.names import Named, Who
from web.problems import Problem
from web.views import Money, View

EXPORT_LIMIT: Final = 10_000
# Excel takes a file for UTF-8 only if it begins so.
BYTE_ORDER_MARK: Final = "\ufeff"
_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
_NUMBER: Final = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


def export_csv(desk: Desk, listing: Listing, query: ListQuery) -> str:
    """All rows that `query` finds, in its order, whatever its page; audited with the count and the filters.

    Raises Problem 403, 422 for what the list cannot read, and 422 `too_many_rows` over EXPORT_LIMIT.
    """
    desk.require("export")
    desk.require(listing.permission)
    with desk.session() as session:
        views = listing.read_all(session, query, EXPORT_LIMIT + 1)
    if len(views) > EXPORT_LIMIT:
        raise Problem(422, "too_many_rows", limit=EXPORT_LIMIT)
    facts: dict[str, object] = {
        "list": listing.name,
        "rows": len(views),
        "filters": dict(query.filters),
        # A term is somebody's name as often as not.
        "is_searched": bool(query.search.strip()),
    }
    with desk.transaction() as connection:
        desk.audit(connection, "export", None, facts=facts)
    return write_csv(listing.view, views)


def write_csv(view: type[View], views: Sequence[View]) -> str:
    """One line for each; sums in major units, in the currency of the column beside them."""
    columns = _columns(view)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([neutral(cell(each)) for cell in columns.values()] for each in views)
    return BYTE_ORDER_MARK + text.getvalue()


def neutral(value: str) -> str:
    """The text itself, with an apostrophe before what a spreadsheet would calculate."""
    return f"'{value}" if value.startswith(_FORMULA_STARTS) and not _NUMBER.fullmatch(value) else value


def _columns(view: type[View]) -> dict[str, Callable[[View], str]]:
    columns: dict[str, Callable[[View], str]] = {}
    for name, field in view.model_fields.items():
        types = {field.annotation, *get_args(field.annotation)}
        value = attrgetter(name)
        if Money in types:
            columns |= {name: partial(_amount, value), "currency": _currency}
        elif types & {Named, Who}:
            columns |= {f"{name}_id": partial(_part, value, "id"), name: partial(_part, value, "name")}
        else:
            columns[name] = partial(_text_of, value)
    return columns


Value = Callable[[View], object]


def _amount(value: Value, view: View) -> str:
    money = value(view)
    if not isinstance(money, Money):
        return ""
    return str(Decimal(money.amount_minor).scaleb(-get_currency_precision(money.currency)))


def _currency(view: View) -> str:
    """Of all sums of a row: a studio has one."""
    sums = (value for _, value in view if isinstance(value, Money))
    return next((money.currency for money in sums), "")


def _part(value: Value, name: str, view: View) -> str:
    return _text(getattr(value(view), name, None))


def _text_of(value: Value, view: View) -> str:
    return _text(value(view))


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.isoformat()
        case dict() | list():
            return orjson.dumps(value).decode()
        case _:
            return str(value)
