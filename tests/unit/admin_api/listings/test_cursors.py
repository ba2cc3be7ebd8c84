from base64 import urlsafe_b64encode
from datetime import UTC, datetime
from uuid import UUID

import orjson
import pytest

from admin_api.listings.cursors import read_cursor, write_cursor
from models.tables import Audit, CommandJournal, Customer
from web.problems import Problem

# The same in every process that collects these tests.
KEY = UUID("019aa5f0-4b1e-7c7a-9d0e-2f6c1a7b3e10")


def encoded(*parts: object) -> str:
    return urlsafe_b64encode(orjson.dumps(parts)).decode().rstrip("=")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (Audit.occurred_at, datetime(2026, 11, 21, 7, 0, 0, 123456, UTC)),
        (Customer.email, 'im "quoted"@mail.example'),
        (CommandJournal.sequence, 17),
        (Audit.id, KEY),
    ],
)
def test_position_comes_back_as_the_column_has_it(column: object, value: object) -> None:
    position = read_cursor(write_cursor("audit", "-at", value, KEY), "audit", "-at")
    first, second = position.values(column, Audit.id)  # type: ignore[arg-type]
    assert (first.value, second.value) == (value, KEY)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (Audit.occurred_at, "yesterday"),
        (Audit.occurred_at, "2026-11-21T00:00:00"),
        (CommandJournal.sequence, "9" * 30),
        (CommandJournal.sequence, "1.5"),
        (Audit.id, "1"),
    ],
)
def test_value_of_another_kind_is_refused(column: object, value: str) -> None:
    position = read_cursor(write_cursor("audit", "-at", value, KEY), "audit", "-at")
    with pytest.raises(Problem):
        position.values(column, Audit.id)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "A",
        "!!!!",
        "é",
        "\x00",
        encoded(),
        encoded("audit", "-at", "x"),
        encoded("audit", "-at", "x", "not an id"),
        encoded("audit", "-at", "x", str(KEY), "more"),
        encoded("audit", "-at", 1, str(KEY)),
        encoded("audit", "-at", "nul\x00", str(KEY)),
        encoded("audit", "at", "x", str(KEY)),
        encoded("invoices", "-at", "x", str(KEY)),
        encoded("audit", "-at", "x", str(KEY).upper()),
        write_cursor("audit", "-at", "x", KEY) + "=",
        write_cursor("audit", "-at", "x", KEY) + "\n",
        write_cursor("audit", "-at", "x" * 2_000, KEY),
    ],
)
def test_cursor_that_nobody_here_wrote_is_refused(cursor: str) -> None:
    with pytest.raises(Problem) as refused:
        read_cursor(cursor, "audit", "-at")
    assert refused.value.status == 422
