"""Rows of the ledger that are about some things: one sum from one account to another each."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from web.views import Money, View

TRANSFERS_LIMIT: Final = 300


class Transfer(View):
    """`posting_id` is the payment, refund or invoice that it is about, `command_id` what moved it."""

    id: UUID
    at: datetime
    debit: str
    credit: str
    amount: Money
    posting_id: UUID
    command_id: UUID


_TRANSFERS = text(f"""
    SELECT t.id, t.posted_at, debit.kind AS debit, credit.kind AS credit, t.amount_minor, t.currency,
        t.posting_id, t.causation_id
    FROM ledger_transfer t
    JOIN ledger_account debit ON debit.id = t.debit_account_id
    JOIN ledger_account credit ON credit.id = t.credit_account_id
    WHERE t.posting_id = ANY(:postings) ORDER BY t.posted_at, t.id LIMIT {TRANSFERS_LIMIT}
""")  # noqa: S608


def transfers_of(connection: Connection, posting_ids: Iterable[UUID]) -> list[Transfer]:
    """In the order they were posted."""
    return [
        Transfer(
            id=row.id,
            at=row.posted_at,
            debit=row.debit,
            credit=row.credit,
            amount=Money(amount_minor=row.amount_minor, currency=row.currency),
            posting_id=row.posting_id,
            command_id=row.causation_id,
        )
        for row in connection.execute(_TRANSFERS, {"postings": list(posting_ids)})
    ]
