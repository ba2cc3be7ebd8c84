"""Every table class in one place; importing this fills `Base.metadata`."""

from models.base import Base
from models.billing import Invoice, InvoiceCounter, InvoiceLine, Subscription
from models.bookings import Booking, Extra, ExtraUse, Hall, Occupancy, Tariff
from models.books import Audit, LedgerAccount, LedgerTransfer, StateEvent
from models.bus import CallbackInbox, CommandJournal, EventLog, Inbox, Outbox
from models.catalog import MachineTransition, Plan, Price
from models.payments import (
    CheckAdmission,
    PaymentAttempt,
    PaymentMethod,
    ProviderAccount,
    ProviderCall,
    ProviderPayment,
    Refund,
)
from models.tenants import (
    ClockOffset,
    Customer,
    CustomerNote,
    Invitation,
    Session,
    SignInFailure,
    StaffMember,
    Studio,
)
from models.upkeep import JobRun, Notification

__all__ = [
    "Audit",
    "Base",
    "Booking",
    "CallbackInbox",
    "CheckAdmission",
    "ClockOffset",
    "CommandJournal",
    "Customer",
    "CustomerNote",
    "EventLog",
    "Extra",
    "ExtraUse",
    "Hall",
    "Inbox",
    "Invitation",
    "Invoice",
    "InvoiceCounter",
    "InvoiceLine",
    "JobRun",
    "LedgerAccount",
    "LedgerTransfer",
    "MachineTransition",
    "Notification",
    "Occupancy",
    "Outbox",
    "PaymentAttempt",
    "PaymentMethod",
    "Plan",
    "Price",
    "ProviderAccount",
    "ProviderCall",
    "ProviderPayment",
    "Refund",
    "Session",
    "SignInFailure",
    "StaffMember",
    "StateEvent",
    "Studio",
    "Subscription",
    "Tariff",
]
