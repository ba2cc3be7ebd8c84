"""Turns a message that is still true into a letter: subject, text and HTML, in the customer's language. Pure.

Each kind has one template per language that says what is in the letter; the layouts say how it looks. Nothing
is fetched by the reader's program: no images, no fonts, no scripts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from jinja2 import Environment, PackageLoader, StrictUndefined

from booking.rules.machine import HELD
from notifications.booking_facts import booking_facts
from notifications.formats import (
    LINE_LENGTH_LIMIT,
    NAME_LENGTH_LIMIT,
    Language,
    date_text,
    money_text,
    name_in_quotes,
    one_line,
    time_text,
)
from notifications.links import Link, Purpose, sign_link
from notifications.money import Money
from notifications.occasions import Occasion
from notifications.situations import InvoiceNow, Situation

_LOADER: Final = PackageLoader("notifications")
# One template serves both: what is safe in HTML is not what is right in plain text.
_HTML: Final = Environment(loader=_LOADER, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
_TEXT: Final = Environment(
    loader=_LOADER,
    autoescape=False,  # noqa: S701  # plain text
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True)
class Letter:
    """What is sent. An SMS has the subject alone."""

    subject: str
    text: str = field(repr=False)
    html: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Links:
    """What signs the links of a letter, and where they lead: `base_url` with `{host}` for the studio's."""

    key: str = field(repr=False)
    base_url: str

    def home(self, situation: Situation) -> str:
        return self.base_url.replace("{host}", situation.studio.host)

    def make(self, situation: Situation, purpose: Purpose, now: datetime) -> str | None:
        """The address by which the customer pays or cancels; None when there is nothing of the kind to do.

        It lives as long as what it does can be done, by the studio's clock.
        """
        found = _FINDERS[purpose](situation)
        if found is None:
            return None
        subject_id, end = found
        studio = situation.studio
        link = Link(purpose, studio.id, situation.customer.id, subject_id, end - studio.clock_offset)
        return f"{self.home(situation)}/links/{sign_link(self.key, link, now)}"


def _payable(now: Situation) -> tuple[UUID, datetime] | None:
    """What can be paid, and until when."""
    if now.invoice is None or now.invoice.state != "open":
        return None
    return now.invoice.id, now.invoice.expires_at


def _cancelable(now: Situation) -> tuple[UUID, datetime] | None:
    """What can be kept from going on, and until when."""
    subscription = now.subscription
    if subscription is None or subscription.state != "active" or subscription.is_ending:
        return None
    return (subscription.id, subscription.period_end) if subscription.period_end else None


def _releasable(now: Situation) -> tuple[UUID, datetime] | None:
    """What can be let go by its terms, and until when."""
    booking = now.booking
    if booking is not None and booking.state in HELD:
        return booking.id, booking.hold_expires_at
    if booking is not None and booking.state == "confirmed" and booking.slot.starts_at > now.studio.now:
        return booking.id, booking.slot.starts_at
    return None


_FINDERS: Final[Mapping[Purpose, Callable[[Situation], tuple[UUID, datetime] | None]]] = {
    "pay": _payable,
    "cancel": _cancelable,
    "cancel_booking": _releasable,
}


def render(
    kind: str, situation: Situation, occasion: Occasion, price: Money | None, links: Links, now: datetime
) -> Letter:
    """The letter of one kind. `price` is what a reminder says the next period costs; `now` is the world's.

    Deterministic.
    """
    language = situation.customer.locale
    facts = _facts(situation, occasion, price, language) | {
        "pay_url": links.make(situation, "pay", now),
        "cancel_url": links.make(situation, "cancel", now),
        "release_url": links.make(situation, "cancel_booking", now),
        "home_url": (home_url := links.home(situation)),
        "book_url": f"{home_url}/book",
        "booking_url": f"{home_url}/bookings/{situation.booking.id}" if situation.booking else None,
    }
    name = f"{language}/{kind}.j2"

    def write(environment: Environment, layout: str) -> str:
        return environment.get_template(name).render(layout=f"{layout}.j2", language=language, **facts)

    return Letter(
        subject=one_line(write(_TEXT, "subject")),
        text=write(_TEXT, "text").strip() + "\n",
        html=write(_HTML, "html"),
    )


def _facts(now: Situation, occasion: Occasion, price: Money | None, language: Language) -> dict[str, object]:
    """Every fact a template may name, as words; None where there is none."""
    invoice, subscription, payment = now.invoice, now.subscription, now.payment
    timezone = now.studio.timezone
    subject = payment.money if payment else now.attempt.money if now.attempt else None
    amount = now.refund.money if now.refund else subject
    price = invoice.due if invoice else price

    def date(at: datetime | None) -> str | None:
        return date_text(at, timezone, language) if at else None

    def money(sum_of: Money | None) -> str | None:
        return money_text(sum_of, language) if sum_of else None

    return {
        "studio": one_line(now.studio.name, NAME_LENGTH_LIMIT),
        "name": one_line(now.customer.name, NAME_LENGTH_LIMIT),
        "plan": name_in_quotes(subscription.plan_name, language) if subscription else None,
        "has_begun": subscription is not None and subscription.period_start is not None,
        "is_active": subscription is not None and subscription.state == "active",
        "is_ending": occasion.name == "ending",
        "period_end": date(occasion.period_end or (subscription.period_end if subscription else None)),
        "invoice": invoice.number if invoice else None,
        "due": money(price),
        "lines": _lines(invoice, language) if invoice else [],
        "more_lines": _more_lines(invoice, language) if invoice else None,
        "expires": time_text(invoice.expires_at, timezone, language) if invoice else None,
        "amount": money(amount),
        "card": f"•••• {payment.card_mask[-4:]}" if payment and payment.card_mask else None,
        "received": date(payment.received_at) if payment else None,
        "is_applied": payment is not None and payment.is_applied,
        "is_going_back": payment is not None and payment.is_going_back,
        **booking_facts(now, language),
    }


def _lines(invoice: InvoiceNow, language: Language) -> list[tuple[str, str]]:
    """What each line is for, and its sum."""
    return [
        (
            one_line(line.description, LINE_LENGTH_LIMIT)
            + (f" × {line.quantity}" if line.quantity > 1 else ""),
            money_text(line.money, language),
        )
        for line in invoice.lines
    ]


def _more_lines(invoice: InvoiceNow, language: Language) -> tuple[int, str] | None:
    """How many lines are not shown, and what they come to; None when all are, or none is to be."""
    count = invoice.line_count - len(invoice.lines)
    if not invoice.lines or not count:
        return None
    shown_minor = sum(line.money.amount_minor for line in invoice.lines)
    rest = Money(invoice.total.amount_minor - shown_minor, invoice.total.currency)
    return count, money_text(rest, language)
