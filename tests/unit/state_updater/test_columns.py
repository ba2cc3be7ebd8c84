"""The rows that the updater reads and writes are those of the tables: same columns, same types, same gaps."""

from typing import get_args, get_type_hints

import pytest
from sqlalchemy.dialects import postgresql

from models.tables import Base
from state_updater.appended import AccountRow, EventRow, LineRow, OutboxRow, TransferRow
from state_updater.columns import columns_of
from state_updater.rows import TOUCHED

TABLES: list[tuple[type, str]] = [
    *((row, row.TABLE) for row in TOUCHED),
    (LineRow, "invoice_line"),
    (EventRow, "state_event"),
    (AccountRow, "ledger_account"),
    (TransferRow, "ledger_transfer"),
    (OutboxRow, "outbox"),
]
# What a column is called in the table where the row has it as text.
SPELLED = {"timestamp with time zone": "timestamptz", "char(3)": "text"}


@pytest.mark.parametrize(("row", "table"), TABLES, ids=lambda each: getattr(each, "__name__", each))
def test_a_row_has_the_types_of_its_table(row: type, table: str) -> None:
    columns = Base.metadata.tables[table].columns
    found = {}
    for name in columns_of(row):
        written = columns[name].type.compile(postgresql.dialect()).lower()
        found[name] = SPELLED.get(written, written)
    assert columns_of(row) == found


@pytest.mark.parametrize(("row", "table"), TABLES, ids=lambda each: getattr(each, "__name__", each))
def test_only_what_may_be_missing_in_the_table_may_be_missing_in_a_row(row: type, table: str) -> None:
    columns = Base.metadata.tables[table].columns
    hints = get_type_hints(row)
    may_be_missing = {name for name in columns_of(row) if type(None) in get_args(hints[name])}
    assert may_be_missing == {name for name in columns_of(row) if columns[name].nullable}
