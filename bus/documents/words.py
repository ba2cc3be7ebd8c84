"""What each event tells, and which process sends which command, for the documents of the bus.

A command says what it is in its own docstring. Tests compare the tables with the registry and with the code.
"""

from collections.abc import Mapping
from typing import Final

EVENT_MEANINGS: Final[Mapping[str, str]] = {
    "subscription.created": "A customer has taken a plan; nothing is paid yet.",
    "subscription.activated": "The first invoice is paid, and the first billing period has begun.",
    "subscription.changed": "From the next billing period on it has another price.",
    "subscription.renewed": "The invoice of the next billing period is paid, and the subscription goes on.",
    "subscription.ending": "It will not be renewed: it ends with the period that is paid for.",
    "subscription.canceled": "It has ended.",
    "invoice.opened": "An invoice is issued and waits to be paid.",
    "invoice.paid": "An invoice is paid in full.",
    "invoice.voided": "An unpaid invoice was taken back.",
    "invoice.expired": "An invoice was not paid in its time.",
    "invoice.refunded": "Money paid for an invoice was given back, all of it or a part.",
    "payment.succeeded": "An attempt to pay has succeeded.",
    "payment.failed": "The provider has declined an attempt to pay.",
    "payment.unapplied": "Money came that pays no invoice; people decide what to do with it.",
    "refund.requested": "A customer or the staff has asked for money back.",
    "refund.rejected": "The staff has not agreed to a refund.",
    "refund.succeeded": "The provider has given the money back.",
    "refund.declined": "The provider has declined to give the money back.",
    "booking.created": "A time in a hall is held for a customer; nothing is paid yet.",
    "booking.confirmed": "A booking is paid, or is to be paid on site: the hall is the customer's.",
    "booking.cancelled": "A booking was let go, and the hall is free again.",
    "booking.expired": "A hold was not paid in its time, and the hall is free again.",
    "booking.rescheduled": "A confirmed booking has another time or another hall.",
    "booking.completed": "The visit is over.",
    "booking.no_show": "Nobody came.",
    "command.parked": "An error: a command could not be applied and waits for a person.",
    "notification.failed": "An error: a message to a customer was given up.",
}
# Who sends which commands. All of them write the command's journal row first; the relay sends again what was
# not applied.
SENDERS: Final[Mapping[str, tuple[str, ...]]] = {
    "client_api": (
        "CreateSubscription",
        "CancelSubscription",
        "StartPayment",
        "RecordPaymentOutcome",
        "RequestRefund",
        "RecordRefundOutcome",
        "HoldBooking",
        "CheckOutBooking",
        "RescheduleBooking",
        "CancelBooking",
    ),
    "admin_api": (
        "CreateSubscription",
        "ChangeSubscription",
        "CancelSubscription",
        "IssueInvoice",
        "VoidInvoice",
        "RequestRefund",
        "ApproveRefund",
        "RejectRefund",
        "DeclineRefund",
        "RetryLookUp",
        "HoldBooking",
        "CheckOutBooking",
        "RescheduleBooking",
        "CancelBooking",
        "CompleteBooking",
        "MarkNoShow",
        "BlockHall",
        "UnblockHall",
    ),
    "worker": (
        "ExpireInvoice",
        "ExpireHold",
        "CompleteBooking",
        "RecordPaymentOutcome",
        "RecordRefundOutcome",
    ),
    "cron": ("RenewSubscription", "EndSubscription"),
    "cli": ("ApproveRefund", "RejectRefund"),
}
PROCESSES: Final[Mapping[str, str]] = {
    "client_api": "what customers ask for, and what providers call back",
    "admin_api": "what the staff does",
    "worker": "what providers answered, and invoices, holds and visits whose time has passed",
    "cron": "what the clock makes due",
    "cli": "what is done at the command line",
    "billing_consumer": "applies commands, each once, in the order of its partition",
    "state_updater": "the relay: sends events once the transaction that made them has committed",
    "integrations": "writes every event into the log of events",
    "notifications": "plans what customers are written",
}
# What AMQP carries beside the body; the embedded bus has the same in columns.
PROPERTIES: Final[Mapping[str, str]] = {
    "message-id": "The id of the message, the same however often it comes. Do nothing twice by it.",
    "type": "The name of the message. For an event it is the routing key, too.",
    "correlation-id": "One id for everything that came of one request.",
    "content-type": "application/json",
    "delivery-mode": "2: messages survive a restart of the broker.",
    "app-id": "The process that sent it.",
}
HEADERS: Final[Mapping[str, str]] = {
    "studio_id": "The studio, as in the payload.",
    "schema_version": "The version of the payload's shape.",
    "causation_id": "What led to it: the command behind an event. Not always known.",
}
TITLE: Final = "Billbus: the interaction bus"
DESCRIPTION: Final = """\
Billbus's processes talk over RabbitMQ, or over Postgres where there is no broker: the same messages, the
same ids, the same order.

**Events** tell other systems what has happened: bind a queue of your own to the exchange `billbus.events`
with the names of the events that you want. **Commands** are for Billbus's own processes alone: each has a
row in the command journal, and one that has none is rejected. To have something done, call the HTTP APIs.

Delivery is at least once: a message may come again, under the same id. Keep the ids of what you have done,
and do nothing twice. The order of one customer's events is kept while nothing fails; let nothing depend on
it. Sums are in minor units, ids are UUIDs, instants have an offset. A change of shape is a new
`schema_version`: reject what you do not know.
"""
