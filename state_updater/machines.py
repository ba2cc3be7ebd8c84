"""Every machine that is driven here, by name: for the database's own table, the pictures and the tests."""

from billing.invoices import INVOICE
from billing.payments import PAYMENT
from billing.refunds import REFUND
from billing.subscriptions import SUBSCRIPTION
from booking.rules.machine import BOOKING
from kit.machine import Machine

MACHINES: dict[str, Machine] = {
    machine.name: machine for machine in (INVOICE, PAYMENT, REFUND, SUBSCRIPTION, BOOKING)
}
