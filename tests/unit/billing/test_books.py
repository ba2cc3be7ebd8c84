"""The ledger's table and the chain's hash."""

from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from billing.events import HASHED_COLUMNS, event_hash
from billing.ledger import ACCOUNTS, Account, Posting, ledger_account_id
from billing.payments import received_payment_id
from kit.ids import derived_id

STUDIO = UUID(int=1)
EVENT: dict[str, object] = {
    "aggregate_id": UUID(int=2),
    "command_id": UUID(int=3),
    "correlation_id": "c",
    "facts": {"b": 1, "a": [None, "é"]},
    "from_state": "",
    "machine": "invoice",
    "occurred_at": datetime(2026, 3, 1, 12, tzinfo=UTC),
    "studio_id": STUDIO,
    "to_state": "draft",
    "trigger": "draw",
    "version": 1,
}
OTHER: dict[str, object] = {
    "facts": {"b": 2, "a": [None, "é"]},
    "occurred_at": datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC),
    "version": 2,
}


def test_every_posting_has_two_different_accounts() -> None:
    assert set(ACCOUNTS) == set(Posting)
    assert all(debit is not credit for debit, credit in ACCOUNTS.values())


def test_postings_that_undo_each_other_name_the_same_accounts_turned_round() -> None:
    opened, closed = ACCOUNTS[Posting.INVOICE_OPENED], ACCOUNTS[Posting.INVOICE_CLOSED]
    assert opened == closed[::-1]
    received, returned = ACCOUNTS[Posting.PAYMENT_UNAPPLIED], ACCOUNTS[Posting.REFUND_UNAPPLIED]
    assert received == returned[::-1]


@pytest.mark.parametrize(
    ("excess", "direct"),
    [
        (Posting.EXCESS_MATCHED, Posting.REFUND_MATCHED),
        (Posting.EXCESS_UNAPPLIED, Posting.REFUND_UNAPPLIED),
    ],
)
def test_an_early_refund_ends_in_the_books_as_if_it_had_come_in_order(
    excess: Posting, direct: Posting
) -> None:
    balance: Counter[Account] = Counter()
    for debit, credit in (ACCOUNTS[Posting.REFUND_EXCESS], ACCOUNTS[excess]):
        balance[debit] += 1
        balance[credit] -= 1
    debit, credit = ACCOUNTS[direct]
    assert {kind: sum_ for kind, sum_ in balance.items() if sum_} == {debit: 1, credit: -1}


def test_a_ledger_account_is_known_by_studio_kind_and_currency() -> None:
    one = ledger_account_id(STUDIO, Account.SALES, "RUB")
    assert one == derived_id("ledger_account", STUDIO, "sales", "RUB")
    others = [
        ledger_account_id(UUID(int=9), Account.SALES, "RUB"),
        ledger_account_id(STUDIO, Account.CUSTOMER_RECEIVABLE, "RUB"),
        ledger_account_id(STUDIO, Account.SALES, "USD"),
    ]
    assert len({one, *others}) == 4


def test_received_money_has_one_id_per_account_and_transaction() -> None:
    assert received_payment_id(STUDIO, "7") == derived_id("provider_payment", STUDIO, "7")
    assert received_payment_id(STUDIO, "7") != received_payment_id(UUID(int=2), "7")


def test_the_hash_covers_exactly_the_stored_columns() -> None:
    assert set(HASHED_COLUMNS) == set(EVENT)


@pytest.mark.parametrize("column", HASHED_COLUMNS)
def test_a_change_of_any_column_changes_the_hash(column: str) -> None:
    changed = EVENT | {column: OTHER.get(column, "something else")}
    assert event_hash(b"", changed) != event_hash(b"", EVENT)


def test_the_hash_covers_the_one_before() -> None:
    first = event_hash(b"", EVENT)
    assert len(first) == 32
    assert event_hash(first, EVENT) != first


def test_the_hash_does_not_depend_on_the_order_or_zone_in_which_a_row_was_read() -> None:
    moscow = datetime(2026, 3, 1, 15, tzinfo=timezone(timedelta(hours=3)))
    read_back = dict(reversed((EVENT | {"facts": {"a": [None, "é"], "b": 1}}).items()))
    assert event_hash(b"p", read_back) == event_hash(b"p", EVENT)
    assert event_hash(b"p", EVENT | {"occurred_at": moscow.astimezone(UTC)}) == event_hash(b"p", EVENT)


def test_the_first_hash_of_this_event_never_changes() -> None:
    assert event_hash(b"", EVENT).hex() == (
        "84b1026da3b96a8db76b0f6d36a050f3df3f425c7644aebb09915240e088f0ec"
    )
