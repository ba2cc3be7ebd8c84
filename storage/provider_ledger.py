"""Our books against the provider's own ledger, which the caller brings.

Called by `storage.verification`. Counted from what the provider did, not from what it told us.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, RowMapping, text

from storage.findings import Check, Finding, gather

PROVIDER = "books_are_the_providers"
STATEMENT = (
    "I5: every capture and refund of the provider's ledger is in the books with its sum, and none besides."
)

# kind, public id, transaction id
_Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class ProviderEntry:
    """One line of the provider's ledger. `transaction_id` of a refund is the refund's own."""

    public_id: str
    transaction_id: str
    kind: Literal["capture", "refund"]
    amount_minor: int
    currency: str
    invoice_id: str


_BOOKED = text("""
    SELECT p.studio_id, 'capture' AS kind, a.public_id, p.transaction_id, p.amount_minor, p.currency::text
    FROM provider_payment p JOIN provider_account a ON a.id = p.provider_account_id
    UNION ALL
    SELECT r.studio_id, 'refund', a.public_id, coalesce(r.provider_refund_id, ''), r.amount_minor,
        r.currency::text
    FROM refund r JOIN provider_account a ON a.id = r.provider_account_id
    WHERE r.state = 'succeeded'
    ORDER BY 1, 2, 3, 4
""")


def compare_with_provider(connection: Connection, entries: Iterable[ProviderEntry]) -> Check:
    """What only one of the two ledgers has, and what both have with another sum."""
    return gather(PROVIDER, STATEMENT, _differences(connection.execute(_BOOKED).mappings(), entries))


def _differences(booked: Iterable[RowMapping], entries: Iterable[ProviderEntry]) -> Iterator[Finding]:
    ours: dict[_Key, RowMapping] = {}
    for row in booked:
        key = (row["kind"], row["public_id"], row["transaction_id"])
        if key in ours:
            yield Finding(row["studio_id"], _named(key), "is in the books twice")
        ours[key] = row
    for entry in entries:
        yield from _difference(entry, ours)
    for key, row in ours.items():
        yield Finding(row["studio_id"], _named(key), f"{_sum_of(row)} is only in the books")


def _difference(entry: ProviderEntry, ours: dict[_Key, RowMapping]) -> Iterator[Finding]:
    """Compares one entry with ours and takes ours out."""
    key = (entry.kind, entry.public_id, entry.transaction_id)
    found = ours.pop(key, None)
    told = f"{entry.amount_minor} {entry.currency} for {entry.invoice_id}"
    if found is None:
        yield Finding(None, _named(key), f"{told} is not in the books")
    elif (found["amount_minor"], found["currency"]) != (entry.amount_minor, entry.currency):
        yield Finding(found["studio_id"], _named(key), f"{told} is in the books as {_sum_of(found)}")


def _sum_of(row: RowMapping) -> str:
    return f"{row['amount_minor']} {row['currency']}"


def _named(key: _Key) -> str:
    kind, public_id, transaction_id = key
    return f"{kind} {transaction_id or 'without an id'} at {public_id}"
