"""Payment attempts: a customer's own, and one as its page and the provider's `check` see it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import orjson
from sqlalchemy import Connection, text

from billing.payments import LIVE
from client_api.views import AttemptView
from providers.cloudpayments.widget import WidgetValue, widget_json, widget_parameters
from providers.port import PaymentRequest, ProviderAccount
from web.problems import not_found
from web.views import Money

_COLUMNS = """
    SELECT attempt.id, attempt.studio_id, attempt.customer_id, attempt.invoice_id, attempt.state,
        attempt.method, attempt.amount_minor, attempt.currency, attempt.return_url, attempt.redirect_url,
        attempt.decline_code, attempt.decline_category, attempt.declines, attempt.created_at,
        attempt.provider_account_id, invoice.state AS invoice_state, invoice.number AS invoice_number,
        invoice.expires_at, invoice.subscription_id, invoice.booking_id,
        invoice.total_minor - invoice.paid_minor AS due_minor,
        account.provider, account.public_id, account.api_url, account.widget_script_url, account.is_test,
        COALESCE(
            (SELECT hall.name || to_char(starts_at AT TIME ZONE studio.timezone, ', DD.MM.YYYY HH24:MI')
                || to_char(ends_at AT TIME ZONE studio.timezone, '–HH24:MI')
             FROM booking AS booked JOIN hall ON hall.id = booked.hall_id
             JOIN studio ON studio.id = booked.studio_id WHERE booked.id = invoice.booking_id),
            (SELECT description FROM invoice_line WHERE invoice_line.invoice_id = invoice.id
             ORDER BY position LIMIT 1)) AS description,
        booking.hold_expires_at
    FROM payment_attempt AS attempt
    JOIN invoice ON invoice.id = attempt.invoice_id
    LEFT JOIN booking ON booking.id = invoice.booking_id AND booking.state = 'awaiting_payment'
    JOIN provider_account AS account ON account.id = attempt.provider_account_id
"""
_GET_OWN = text(f"{_COLUMNS} WHERE attempt.id = :attempt_id AND attempt.customer_id = :customer_id")
_FIND = text(f"{_COLUMNS} WHERE attempt.id = :attempt_id")
_FIND_ACCOUNT = text("""
    SELECT id FROM provider_account WHERE provider = :provider AND is_active ORDER BY created_at DESC LIMIT 1
""")


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt with what its page and its provider ask about.

    `due_minor` is what the invoice still lacks; `hold_expires_at` is there while a booking awaits the money.
    """

    id: UUID
    studio_id: UUID
    customer_id: UUID
    invoice_id: UUID
    state: str
    method: str
    amount_minor: int
    currency: str
    return_url: str
    redirect_url: str | None
    decline_code: str | None
    decline_category: str | None
    declines: int
    created_at: datetime
    provider_account_id: UUID
    invoice_state: str
    invoice_number: str | None
    expires_at: datetime
    subscription_id: UUID | None
    booking_id: UUID | None
    due_minor: int
    provider: str
    public_id: str
    api_url: str
    widget_script_url: str
    is_test: bool
    description: str | None
    hold_expires_at: datetime | None

    @property
    def is_payable_by_widget(self) -> bool:
        return self.method == "widget" and self.state == "requires_action" and self.invoice_state == "open"

    @property
    def is_live(self) -> bool:
        return self.state in LIVE

    @property
    def pay_path(self) -> str:
        return f"/pay/{self.id}"

    def widget(self, return_url: str | None = None) -> dict[str, WidgetValue]:
        """What the provider's widget takes; after paying it goes to `return_url`, by default the payer's."""
        account = ProviderAccount(
            account_id=self.provider_account_id,
            provider=self.provider,
            public_id=self.public_id,
            secret="",
            api_url=self.api_url,
            widget_script_url=self.widget_script_url,
            is_test=self.is_test,
        )
        request = PaymentRequest(
            attempt_id=self.id,
            request_id=str(self.id),
            amount_minor=self.amount_minor,
            currency=self.currency,
            description=self.description or self.invoice_number or "",
            customer_reference=str(self.customer_id),
            return_url=return_url or self.return_url,
        )
        return widget_parameters(account, request)


def find_attempt(connection: Connection, attempt_id: UUID) -> Attempt | None:
    """Whoever's it is in this studio: for those who prove themselves by other means."""
    row = connection.execute(_FIND, {"attempt_id": attempt_id}).one_or_none()
    return Attempt(*row) if row else None


def get_attempt(connection: Connection, attempt_id: UUID) -> Attempt:
    """One that is known to be there."""
    return Attempt(*connection.execute(_FIND, {"attempt_id": attempt_id}).one())


def get_attempt_view(connection: Connection, customer_id: UUID, attempt_id: UUID) -> AttemptView:
    """Raises Problem 404."""
    row = connection.execute(_GET_OWN, {"attempt_id": attempt_id, "customer_id": customer_id}).one_or_none()
    if row is None:
        raise not_found()
    return _view(Attempt(*row))


def find_provider_account(connection: Connection, provider: str) -> UUID | None:
    """The studio's active account at a provider, the newest if there are several."""
    account_id: UUID | None = connection.scalar(_FIND_ACCOUNT, {"provider": provider})
    return account_id


def _view(attempt: Attempt) -> AttemptView:
    return AttemptView.model_validate(
        {
            "id": attempt.id,
            "invoice_id": attempt.invoice_id,
            "state": attempt.state,
            "method": attempt.method,
            "amount": Money(amount_minor=attempt.amount_minor, currency=attempt.currency),
            "pay_url": attempt.pay_path,
            "redirect_url": attempt.redirect_url,
            "return_url": attempt.return_url,
            "decline_code": attempt.decline_code,
            "decline_category": attempt.decline_category,
            "created_at": attempt.created_at,
            "widget": orjson.loads(widget_json(attempt.widget())) if attempt.is_payable_by_widget else None,
        }
    )
