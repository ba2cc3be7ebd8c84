"""What a search term may mean: an id, an invoice's number, or words of a customer's name or address.

Text search is not leakproof, so under row-level security no index serves it: words go through the function
`customers_matching`, which runs as the tables' owner and asks for the studio itself.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, literal, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from admin_api.queries.ids import among, find_uuid
from admin_api.walls import GuardedSession
from models.tables import Invoice, ProviderAccount

SEARCH_LENGTH_LIMIT: Final = 200
WORDS_LIMIT: Final = 8
CUSTOMERS_LIMIT: Final = 200
# Of so many customers at once: ten invoices of each.
INVOICES_LIMIT: Final = 2_000
# Digits alone may be of any of these years.
FIRST_NUMBERED_YEAR: Final = 2020
NUMBERED_YEARS: Final = 40
_NUMBER: Final = re.compile(r"\d{4}-\d{1,9}", re.ASCII)
_DIGITS: Final = re.compile(r"\d{1,9}", re.ASCII)
_WORD: Final = re.compile(r"\w+")
_EDGES: Final = re.compile(r"^\W+|\W+$")

# What a term may mean as a condition; None: nothing can match it.
Finder = Callable[[GuardedSession, str], ColumnElement[bool] | None]


def words_query(term: str) -> str | None:
    """`term` as text of a tsquery that wants all its words, each as the beginning of one; None without words.

    A word is looked for as it stands, as addresses and hyphenated names are kept, and by its parts, which an
    address has none of. One letter is a word of its own: as a beginning it would be half of all customers.
    """
    words = [word for each in term.lower().split() if (word := _EDGES.sub("", each))]
    return " & ".join(_alternatives(word) for word in words[:WORDS_LIMIT]) or None


def _alternatives(word: str) -> str:
    parts = _WORD.findall(word)
    if parts == [word] or "@" in word:
        return _beginning(word)
    return f"({_beginning(word)} | ({' & '.join(map(_beginning, parts))}))"


def _beginning(word: str) -> str:
    quoted = word.replace("\\", "\\\\").replace("'", "''")
    return f"'{quoted}'" if len(word) == 1 else f"'{quoted}':*"


def matching_customers(session: GuardedSession, term: str) -> Sequence[UUID]:
    """The newest first, at most CUSTOMERS_LIMIT."""
    words = words_query(term)
    if words is None:
        return []
    return session.scalars(select(func.customers_matching(words, CUSTOMERS_LIMIT))).all()


def invoice_numbers(term: str) -> list[str]:
    """The numbers that `term` may be, with its year or without."""
    if _NUMBER.fullmatch(term):
        return [term]
    if not _DIGITS.fullmatch(term):
        return []
    years = range(FIRST_NUMBERED_YEAR, FIRST_NUMBERED_YEAR + NUMBERED_YEARS)
    return [f"{year}-{int(term):06d}" for year in years]


def matching_invoices(session: GuardedSession, term: str) -> Sequence[UUID]:
    """By number, or of the customers that the words match; at most INVOICES_LIMIT."""
    numbers = invoice_numbers(term)
    if numbers:
        return session.scalars(select(Invoice.id).where(Invoice.number.in_(numbers))).all()
    return invoices_of(session, matching_customers(session, term))


def invoices_of(session: GuardedSession, customer_ids: Sequence[UUID]) -> Sequence[UUID]:
    """At most INVOICES_LIMIT."""
    if not customer_ids:
        return []
    found = select(Invoice.id).where(among(Invoice.customer_id, customer_ids)).limit(INVOICES_LIMIT)
    return session.scalars(found).all()


def named_by_provider(
    session: GuardedSession,
    account_id: InstrumentedAttribute[Any],
    name: InstrumentedAttribute[Any],
    term: str,
) -> ColumnElement[bool]:
    """By the provider's own id of it, which an index has for each account."""
    accounts = session.scalars(select(ProviderAccount.id)).all()
    return and_(among(account_id, accounts), name == term)


def by_ids_or(columns: Sequence[InstrumentedAttribute[Any]], otherwise: Finder) -> Finder:
    """A search in which an id is one of `columns`, and everything else means what `otherwise` says."""

    def search(session: GuardedSession, term: str) -> ColumnElement[bool] | None:
        wanted = find_uuid(term)
        if wanted is not None:
            return or_(*(column == wanted for column in columns))
        return otherwise(session, term)

    return search


def of_customers(column: InstrumentedAttribute[Any]) -> Finder:
    """Rows of the customers that the words match."""

    def find(session: GuardedSession, term: str) -> ColumnElement[bool] | None:
        found = matching_customers(session, term)
        return among(column, found) if found else None

    return find


def containing(*columns: InstrumentedAttribute[Any]) -> Callable[[str], ColumnElement[bool]]:
    """For lists that are short by nature: what holds the term anywhere, in any case of letters."""

    def condition(term: str) -> ColumnElement[bool]:
        part = func.lower(literal(term))
        return or_(*(func.strpos(func.lower(column), part) > 0 for column in columns))

    return condition


def holding(*columns: InstrumentedAttribute[Any]) -> Finder:
    """`containing` as a search."""
    return lambda _session, term: containing(*columns)(term)
