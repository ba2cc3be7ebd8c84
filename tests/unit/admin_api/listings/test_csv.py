import csv
from datetime import UTC, datetime
from io import StringIO
from uuid import UUID

import pytest

from admin_api.listings.csv import neutral, write_csv
from admin_api.queries.names import Named
from web.views import Money, View


class Row(View):
    id: UUID
    customer: Named | None
    total: Money
    due: Money | None
    is_test: bool
    at: datetime | None
    note: str
    facts: dict[str, str]


ID = UUID(int=7)


def row(note: str, **changes: object) -> Row:
    fields = {
        "id": ID,
        "customer": Named(id=ID, name="=cmd|' /C calc'!A0"),
        "total": Money(amount_minor=-149050, currency="RUB"),
        "due": None,
        "is_test": True,
        "at": datetime(2026, 11, 21, tzinfo=UTC),
        "note": note,
        "facts": {"a": "б"},
    }
    return Row.model_validate(fields | changes)


def read(text: str) -> list[dict[str, str]]:
    assert text.startswith("\ufeff")
    return list(csv.DictReader(StringIO(text[1:], newline="")))


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_cell_that_begins_like_a_formula_becomes_text(start: str) -> None:
    (line,) = read(write_csv(Row, [row(f"{start}SUM(A1)")]))
    assert line["note"] == f"'{start}SUM(A1)"


@pytest.mark.parametrize("number", ["-1", "-1490.50", "0", "12"])
def test_plain_numbers_stay_numbers(number: str) -> None:
    assert neutral(number) == number


@pytest.mark.parametrize("formula", ["-1+2", "-1e5", "-", "--1", "+1", "-1.", "-٣", "-1\n=2"])
def test_what_only_begins_like_a_number_does_not(formula: str) -> None:
    assert neutral(formula) == f"'{formula}"


def test_sums_are_in_major_units_beside_their_currency() -> None:
    (line,) = read(write_csv(Row, [row("x")]))
    assert (line["total"], line["due"], line["currency"]) == ("-1490.50", "", "RUB")
    (yen,) = read(write_csv(Row, [row("x", total=Money(amount_minor=5, currency="JPY"))]))
    assert (yen["total"], yen["currency"]) == ("5", "JPY")


def test_other_things_are_an_id_and_a_name() -> None:
    (line,) = read(write_csv(Row, [row("x")]))
    assert (line["customer_id"], line["customer"]) == (str(ID), "'=cmd|' /C calc'!A0")
    (nobody,) = read(write_csv(Row, [row("x", customer=None)]))
    assert (nobody["customer_id"], nobody["customer"]) == ("", "")


def test_quotes_commas_and_lines_stay_in_their_cell() -> None:
    note = 'one, "two"\r\nthree'
    (line,) = read(write_csv(Row, [row(note)]))
    assert line["note"] == note
    assert (line["is_test"], line["at"], line["facts"]) == ("true", "2026-11-21T00:00:00+00:00", '{"a":"б"}')


def test_no_rows_leave_the_heads() -> None:
    text = write_csv(Row, [])
    assert text == "\ufeffid,customer_id,customer,total,currency,due,is_test,at,note,facts\r\n"
