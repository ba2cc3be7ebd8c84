"""The accounts of a studio's books and what each kind of movement debits and credits.

A transfer is one row with both accounts, so the books cannot be out of balance.
"""

from enum import StrEnum
from uuid import UUID

from kit.ids import derived_id


class Account(StrEnum):
    """Kinds of ledger accounts; a studio has one of each per currency."""

    CUSTOMER_RECEIVABLE = "customer_receivable"
    SALES = "sales"
    PROVIDER_CLEARING = "provider_clearing"
    UNAPPLIED_RECEIPTS = "unapplied_receipts"
    UNAPPLIED_REFUNDS = "unapplied_refunds"


class Posting(StrEnum):
    """Why a sum moves; the value is only a name, the accounts are in `ACCOUNTS`."""

    INVOICE_OPENED = "invoice_opened"
    INVOICE_CLOSED = "invoice_closed"
    PAYMENT_MATCHED = "payment_matched"
    PAYMENT_UNAPPLIED = "payment_unapplied"
    REFUND_MATCHED = "refund_matched"
    REFUND_UNAPPLIED = "refund_unapplied"
    REFUND_EXCESS = "refund_excess"
    EXCESS_MATCHED = "excess_matched"
    EXCESS_UNAPPLIED = "excess_unapplied"


# (debit, credit)
ACCOUNTS: dict[Posting, tuple[Account, Account]] = {
    Posting.INVOICE_OPENED: (Account.CUSTOMER_RECEIVABLE, Account.SALES),
    Posting.INVOICE_CLOSED: (Account.SALES, Account.CUSTOMER_RECEIVABLE),
    Posting.PAYMENT_MATCHED: (Account.PROVIDER_CLEARING, Account.CUSTOMER_RECEIVABLE),
    Posting.PAYMENT_UNAPPLIED: (Account.PROVIDER_CLEARING, Account.UNAPPLIED_RECEIPTS),
    Posting.REFUND_MATCHED: (Account.SALES, Account.PROVIDER_CLEARING),
    Posting.REFUND_UNAPPLIED: (Account.UNAPPLIED_RECEIPTS, Account.PROVIDER_CLEARING),
    # The provider gave back more than it told us it had taken.
    Posting.REFUND_EXCESS: (Account.UNAPPLIED_REFUNDS, Account.PROVIDER_CLEARING),
    # The payment of an early refund has arrived: what waited as excess finds its place.
    Posting.EXCESS_MATCHED: (Account.SALES, Account.UNAPPLIED_REFUNDS),
    Posting.EXCESS_UNAPPLIED: (Account.UNAPPLIED_RECEIPTS, Account.UNAPPLIED_REFUNDS),
}


def ledger_account_id(studio_id: UUID, account: Account, currency: str) -> UUID:
    """A pure function of what the account is, so that posting looks nothing up."""
    return derived_id("ledger_account", studio_id, account.value, currency)
