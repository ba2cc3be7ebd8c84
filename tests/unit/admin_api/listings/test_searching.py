import pytest

from admin_api.listings.searching import WORDS_LIMIT, invoice_numbers, words_query
from admin_api.queries.ids import find_uuid


@pytest.mark.parametrize(
    ("term", "query"),
    [
        ("Anna", "'anna':*"),
        ("  anna   KOVAL ", "'anna':* & 'koval':*"),
        ("a", "'a'"),
        ("anna@mail.example", "'anna@mail.example':*"),
        ("o'brien", "('o''brien':* | ('o' & 'brien':*))"),
        ("ab\\cd", "('ab\\\\cd':* | ('ab':* & 'cd':*))"),
        ("':*", None),
        ("& | !", None),
        ("", None),
    ],
)
def test_words_are_quoted_beginnings_and_nothing_else(term: str, query: str | None) -> None:
    assert words_query(term) == query


def test_so_many_words_and_no_more() -> None:
    query = words_query(" ".join(f"word{number}" for number in range(100)))
    assert query is not None
    assert query.count("&") == WORDS_LIMIT - 1


def test_invoice_number_is_whole_or_digits_of_any_year() -> None:
    assert invoice_numbers("2026-000017") == ["2026-000017"]
    assert "2026-000017" in invoice_numbers("17")
    assert "2026-000017" in invoice_numbers("000017")
    assert invoice_numbers("2026-") == []
    assert invoice_numbers("٢٠٢٦-٠١") == []
    assert invoice_numbers("9" * 10) == []
    assert invoice_numbers("17a") == []


@pytest.mark.parametrize(
    "text",
    ["", "1", "urn:uuid:01a1fcfd-6f08-70e8-aafe-198e4b47c6d8", "{" + "0" * 32 + "}", "0" * 33, "g" * 32],
)
def test_what_is_no_uuid_is_none(text: str) -> None:
    assert find_uuid(text) is None
