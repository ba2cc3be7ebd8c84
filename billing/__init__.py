"""What billing means, pure: money, periods, and the invoice, payment, refund and subscription machines.

Called by the handlers of `state_updater`, the APIs (for what is allowed) and the tests.
Nothing here does I/O, reads the clock or knows a table.
"""

from billing.invoices import INVOICE
from billing.payments import PAYMENT
from billing.refunds import REFUND
from billing.subscriptions import SUBSCRIPTION
from kit.machine import Machine

MACHINES: dict[str, Machine] = {machine.name: machine for machine in (INVOICE, PAYMENT, REFUND, SUBSCRIPTION)}
