"""Money for the invoice of a booking that was lost meanwhile.

Called where money is recorded. If the time is still free the booking is given again, with a new invoice that
the money pays; else the money is unapplied, and goes back at once where the studio wants that.
"""

from booking.rules.machine import HELD
from bus.messages import RecordPaymentOutcome
from kit.errors import Refused
from kit.ids import derived_id
from state_updater.booking_rows import Booking
from state_updater.handlers.giving_back import give_back
from state_updater.handlers.holds import lines_of
from state_updater.handlers.invoices import draw_and_open
from state_updater.handlers.slots import Slot, former_slot, keep, require_free, take
from state_updater.rows import Invoice, Payment
from state_updater.work import Work

# Why money for an invoice that is closed is unapplied.
CLOSED = frozenset({"invoice_expired", "invoice_void"})


def find_lost_slot(
    command: RecordPaymentOutcome, work: Work, booking: Booking, invoice: Invoice
) -> Slot | None:
    """What an expired booking had, if this money pays for it and it can be had again."""
    sums_fit = (command.amount_minor, command.currency) == (invoice.total_minor, invoice.currency)
    if (booking.state, invoice.state) != ("expired", "expired") or not sums_fit:
        return None
    if work.early_refunds(command.provider_account_id, command.transaction_id or ""):
        return None  # gone again before it was told of
    slot = former_slot(work, booking)
    try:
        require_free(work, slot)
    except Refused:
        return None
    return slot


def draw_again(command: RecordPaymentOutcome, work: Work, booking: Booking) -> Invoice:
    """The invoice of a lost booking once more: what has expired is never paid."""
    invoice_id = derived_id("invoice_drawn_again", command.payment_id)
    return draw_and_open(work, invoice_id, booking.customer_id, lines_of(booking), booking_id=booking.id)


def confirm(work: Work, booking: Booking, invoice: Invoice, lost: Slot | None) -> None:
    """What a paid invoice does to its booking. That of a surcharge does nothing: it was confirmed before."""
    if lost is not None:
        work.step(booking, "reinstate", facts={"invoice_id": invoice.id})
        take(work, booking, lost, "booking")
    elif booking.state in HELD:
        work.step(booking, "confirm", facts={"invoice_id": invoice.id})
        keep(work, booking)


def return_late_money(work: Work, payment: Payment) -> None:
    """Sends unapplied money back, where the studio does not leave that to people."""
    if payment.unapplied_reason in CLOSED and work.studio.late_money == "refund":
        give_back(work, [payment], payment.amount_minor, "the booking was lost before it was paid")
