"""Takes the money on a payment page: asks Check, captures or declines, plans the callback.

Called by `pages`. One try at a time per order; the shop's answer to Check is obeyed, and no lock is held
while it is awaited.
"""

from dataclasses import replace
from typing import Final

from sandbox.cloudpayments.faults import PAGE_FAULTS
from sandbox.cloudpayments.operations import Desk
from sandbox.cloudpayments.records import Order, Transaction

NO_MONEY: Final = 5051


class Cashier:
    """The page's till over one desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._busy: set[str] = set()

    def take(self, order_id: str, *, approve: bool) -> list[Transaction]:
        """Try once to pay an order (or let the bank decline it); empty when it cannot be tried now."""
        with self._desk.books.lock:
            order = self._desk.books.orders[order_id]
            if order.status != "Created" or order_id in self._busy:
                return []
            self._busy.add(order_id)
            attempted = self._transaction(order)
        try:
            reason_code = self._desk.courier.ask_check(attempted)
            return self._settle(order, attempted, reason_code or (0 if approve else NO_MONEY))
        finally:
            self._busy.discard(order_id)

    def _settle(self, order: Order, attempted: Transaction, reason_code: int) -> list[Transaction]:
        books, now = self._desk.books, self._desk.clock()
        with books.lock:
            if reason_code:
                return [self._record(order, replace(attempted, status="Declined", reason_code=reason_code))]
            paid = replace(order, status="Paid")
            taken = [self._record(paid, attempted)]
            if books.take_fault("page/pay", PAGE_FAULTS, now):
                # As an SBP code does: a second capture, and the shop is not asked again.
                taken.append(self._record(paid, self._transaction(paid)))
            return taken

    def _record(self, order: Order, transaction: Transaction) -> Transaction:
        is_taken = transaction.status == "Completed"
        callbacks = self._desk.courier.plan("pay" if is_taken else "fail", transaction)
        self._desk.books.record(
            "capture" if is_taken else "decline",
            self._desk.clock(),
            order=order,
            transaction=transaction,
            callbacks=callbacks,
        )
        return transaction

    def _transaction(self, order: Order) -> Transaction:
        return Transaction(
            transaction_id=self._desk.books.next_transaction_id(),
            operation="Payment",
            public_id=order.public_id,
            order_id=order.order_id,
            amount_minor=order.amount_minor,
            currency=order.currency,
            invoice_id=order.invoice_id,
            account_id=order.account_id,
            description=order.description,
            data=order.data,
            status="Completed",
            reason_code=0,
            original_id=None,
            origin="page",
            is_test=self._desk.books.sites[order.public_id].is_test,
            created_at=self._desk.clock(),
        )
