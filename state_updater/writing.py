"""What a group writes, as few statements as its order allows, each over arrays of all its rows.

Steps are never folded together: the machine trigger checks each. A write goes into the first statement of its
kind that comes after everything its own customer wrote before, so that of two steps of one aggregate the
second is in a later statement ("wave"), and an attempt is canceled before the next one is inserted. What is
written about a hall keeps the hall's order too: one customer gives its time back before another takes it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from operator import attrgetter
from typing import Any
from uuid import UUID

import psycopg

from kit.errors import InvariantViolated
from state_updater.columns import columns_of
from state_updater.rows import AGGREGATES, INSERTED, TOUCHED, Aggregate, Invoice, Row

Connection = psycopg.Connection[Any]

Values = list[Any]

# Postgres types whose arrays travel as text and are cast row by row.
_CAST_FROM_TEXT = {"jsonb"}


@dataclass(frozen=True, slots=True)
class Kind:
    """One statement text and the columns it takes, in order."""

    sql: str
    columns: tuple[str, ...]


def insert_statement(table: str, columns: dict[str, str], ending: str = "") -> str:
    """INSERT ... SELECT FROM unnest: one fixed text for any number of rows."""
    values = ", ".join(f"{name}::{kind}" for name, kind in columns.items())
    names = ", ".join(columns)
    return (
        f"INSERT INTO {table} ({names}) SELECT {values} FROM unnest({_arrays(columns)}) AS u ({names}) "  # noqa: S608
        f"{ending}"
    )


def _arrays(columns: dict[str, str]) -> str:
    return ", ".join(f"%b::{'text' if kind in _CAST_FROM_TEXT else kind}[]" for kind in columns.values())


def _update_statement(table: str, columns: dict[str, str], where: str) -> str:
    assignments = ", ".join(f"{name} = u.{name}::{kind}" for name, kind in columns.items() if name != "id")
    return (
        f"UPDATE {table} t SET {assignments} FROM unnest({_arrays(columns)}) AS u ({', '.join(columns)}) "  # noqa: S608
        f"WHERE t.id = u.id {where}"
    )


def _some_of(row: type[Row], names: Iterable[str]) -> dict[str, str]:
    columns = columns_of(row)
    return {name: columns[name] for name in names}


def _insert_kind(row: type[Row]) -> Kind:
    columns = columns_of(row)
    return Kind(insert_statement(row.TABLE, columns), tuple(columns))


def _step_kind(row: type[Aggregate], extra: dict[str, str] | None = None) -> Kind:
    names = ("id", "state", "version", "head_hash", "updated_at", *row.CHANGING)
    columns = _some_of(row, names) | (extra or {})
    return Kind(_update_statement(row.TABLE, columns, "AND t.version = u.version - 1"), names)


def _touch_kind(row: type[Row]) -> Kind:
    columns = _some_of(row, ("id", *row.CHANGING))
    return Kind(_update_statement(row.TABLE, columns, ""), tuple(columns))


INSERTS: dict[type[Row], Kind] = {row: _insert_kind(row) for row in INSERTED}
# One step of a machine: the version follows the one that was loaded, or the write is refused.
STEPS: dict[type[Row], Kind] = {row: _step_kind(row) for row in AGGREGATES}
# Columns that change beside the machine.
TOUCHES: dict[type[Row], Kind] = {row: _touch_kind(row) for row in TOUCHED}
# draft → open also writes two columns that are written once: the number (last but one) and its instant.
OPEN_INVOICE = _step_kind(Invoice, {"number": "text", "opened_at": "timestamptz"})


@cache
def _reader(columns: tuple[str, ...]) -> "attrgetter[tuple[Any, ...]]":
    return attrgetter(*columns)


def values_of(row: Row, kind: Kind) -> Values:
    """The row as it is now; later steps of the same object do not change what was taken."""
    return list(_reader(kind.columns)(row))


@dataclass(slots=True)
class _Statement:
    kind: Kind
    rows: list[Values] = field(default_factory=list)


class Waves:
    """Writes in an order that keeps each customer's own order, grouped into few statements."""

    def __init__(self) -> None:
        self._statements: list[_Statement] = []
        self._reached_by_group: dict[UUID, int] = {}
        self._reached_by_row: dict[UUID, int] = {}

    def add(
        self,
        kind: Kind,
        row_id: UUID,
        groups: Sequence[UUID],
        values: Values,
        points_to: UUID | None = None,
    ) -> None:
        """`groups` are whose order must be kept: the customer, or else the studio, and the hall.

        `points_to` is a row that must be there first though another group may write it.
        """
        reached = self._reached_by_row
        start = max(reached.get(row_id, -1) + 1, *(self._reached_by_group.get(each, 0) for each in groups))
        if points_to is not None:
            start = max(start, reached.get(points_to, -1) + 1)
        index = next(
            (index for index in range(start, len(self._statements)) if self._statements[index].kind is kind),
            len(self._statements),
        )
        if index == len(self._statements):
            self._statements.append(_Statement(kind))
        self._statements[index].rows.append(values)
        self._reached_by_row[row_id] = index
        self._reached_by_group.update(dict.fromkeys(groups, index))

    def send(self, connection: Connection) -> "list[tuple[psycopg.Cursor[Any], int, str]]":
        """Queues every statement; returns cursors with the row count each must have."""
        return [
            (execute_rows(connection, each.kind.sql, each.rows), len(each.rows), each.kind.sql)
            for each in self._statements
        ]


def execute_rows(
    connection: Connection, statement: str, rows: Iterable[Sequence[Any]]
) -> psycopg.Cursor[Any]:
    """Runs one statement over the columns of `rows`, as binary arrays."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    return connection.cursor(binary=True).execute(statement, columns, prepare=True)


def check_counts(sent: "Iterable[tuple[psycopg.Cursor[Any], int, str]]") -> None:
    """Every row that was meant to be written was written: a version that moved under us is our bug."""
    for cursor, expected, statement in sent:
        if cursor.rowcount != expected:
            raise InvariantViolated(
                "rows_missed", expected=expected, written=cursor.rowcount, statement=statement[:60]
            )
