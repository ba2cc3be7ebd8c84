"""What a customer goes through, stage by stage, and what must be true of it afterwards.

A stage ends when the customer sees its end over the API. Money is counted at the twin, from its own ledger.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import ClassVar, Self

import httpx

from cli.twin_ledger import fetch_twin_ledger
from storage.verification import Report, verify
from tests.crash.customers import Customer, Json, register, register_with
from tests.crash.stack import Stack
from tests.crash.studio import PRICE_MINOR

SEEN_SECONDS_MAX = 40.0
SETTLED_SECONDS_MAX = 40.0


@dataclass(frozen=True)
class Fault:
    """A line of the twin's fault script."""

    point: str
    kind: str


class Story:
    """One customer, one subscription, one link that is paid once; perhaps the money back."""

    STAGES: ClassVar[tuple[str, ...]] = ("subscribe", "pay", "page", "refund")
    # Where nothing is half done any more; up to here at least every story is played.
    WHOLE_AT: ClassVar[str] = "page"

    def __init__(self, stack: Stack, consumer: str | None = None) -> None:
        self.stack = stack
        self.customer: Customer = register_with(stack, consumer) if consumer else register(stack)
        self._subscription: Json = {}
        self._attempt: Json = {}
        self.price_minor = PRICE_MINOR
        self.refunded_minor = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.customer.http.close()

    @property
    def invoice_id(self) -> str:
        return str(self._subscription["latest_invoice_id"])

    def play(self, stage: str) -> None:
        self._acts[stage]()

    @property
    def _acts(self) -> Mapping[str, Callable[[], None]]:
        return {
            "subscribe": self.subscribe,
            "pay": self.ask_for_page,
            "page": self.pay_at_page,
            "refund": self.ask_for_refund,
        }

    def subscribe(self) -> None:
        wish = {"price_id": str(self.stack.studio.price_id)}
        self._subscription = self.customer.command("/subscriptions", wish)

    def ask_for_page(self) -> None:
        wish = {"provider": "cloudpayments", "method": "link"}
        attempt_id = self.customer.command(f"/invoices/{self.invoice_id}/pay", wish)["id"]

        def look() -> Json | None:
            attempt = self.customer.get(f"/payment-attempts/{attempt_id}")
            return attempt if attempt["redirect_url"] else None

        self._attempt = self.stack.until(look, "a payment page", SEEN_SECONDS_MAX)

    def pay_at_page(self) -> None:
        """Presses Pay until the page says that it is paid, as people do."""
        self.stack.until(self._press_pay, "a payment", SEEN_SECONDS_MAX)
        self.see(f"/invoices/{self.invoice_id}", "state", "paid")
        self._see_paid()

    def _see_paid(self) -> None:
        """What was paid for is there."""
        self.see(f"/subscriptions/{self._subscription['id']}", "state", "active")

    def ask_for_refund(self) -> None:
        wish = {"amount_minor": PRICE_MINOR, "reason": "ill"}
        self.customer.command(f"/invoices/{self.invoice_id}/refund-requests", wish)
        self.see(f"/invoices/{self.invoice_id}", "state", "refunded")
        self.refunded_minor = PRICE_MINOR

    def _press_pay(self) -> bool | None:
        if self.captures():
            return True
        try:
            self.stack.http.post(f"{self._attempt['redirect_url']}/pay")
        except httpx.TransportError:
            return None
        return True if self.captures() else None

    def captures(self) -> list[Json]:
        """What the twin has taken for this attempt."""
        return self._of_the_attempt("captures")

    def _of_the_attempt(self, kind: str) -> list[Json]:
        return [one for one in twin_ledger(self.stack)[kind] if one["invoice_id"] == self._attempt["id"]]

    def see(self, path: str, name: str, value: object) -> None:
        self.stack.until(
            lambda: True if self.customer.get(path)[name] == value else None,
            f"{path} has {name} {value}",
            SEEN_SECONDS_MAX,
        )

    # ---------------------------------------------------------------- what must be true

    def check(self) -> None:
        """Every key is one command with one answer, and the twin has moved money once."""
        rows = self.stack.ask(
            "SELECT kind, state FROM command_journal WHERE principal = %s",
            f"customer:{self.customer.customer_id}",
        )
        assert len(rows) == len(self.customer.keys), rows
        assert all(state == "applied" for _, state in rows), rows
        if self._attempt:
            captured = [one["amount_minor"] for one in self.captures()]
            assert captured == [self.price_minor], f"captured at the twin: {captured}"
            assert len(self._of_the_attempt("orders")) == 1, "more than one page was made"
        if self.refunded_minor:
            refunded = [one["amount_minor"] for one in self._refunds()]
            assert refunded == [self.refunded_minor], f"given back at the twin: {refunded}"

    def _refunds(self) -> list[Json]:
        ids = {one["transaction_id"] for one in self.captures()}
        refunds: list[Json] = twin_ledger(self.stack)["refunds"]
        return [one for one in refunds if one["payment_transaction_id"] in ids]


def twin_ledger(stack: Stack) -> Json:
    """What the provider has done, as it has written it down itself."""
    answer = stack.http.get(f"{stack.twin_url}/_twin/ledger")
    ledger: Json = answer.raise_for_status().json()
    return ledger


def set_faults(stack: Stack, *faults: Fault) -> None:
    """Replaces the twin's script."""
    script = {"faults": [{"point": fault.point, "kind": fault.kind} for fault in faults]}
    stack.http.post(f"{stack.twin_url}/_twin/faults", json=script).raise_for_status()


def verify_settled(stack: Stack) -> Report:
    """The report at rest. Raises AssertionError when rest does not come, or shows a violation."""
    with stack.verifier() as engine:

        def look() -> Report | None:
            report = verify(engine, settled=True, provider_entries=fetch_twin_ledger(stack.twin_url))
            at_once = [check for check in report.violations if check.name.startswith("always_")]
            assert not at_once, f"{at_once}\n{stack.tell()}"
            seen.append(report)
            return report if report.is_clean else None

        seen: list[Report] = []
        try:
            report = stack.until(look, "rest", SETTLED_SECONDS_MAX)
        except AssertionError as error:
            raise AssertionError(f"{seen[-1].violations if seen else ''}\n{error}") from None
    assert report.parked_count == 0, stack.ask(
        "SELECT kind, problem FROM command_journal WHERE state = 'parked'"
    )
    assert not twin_ledger(stack)["violations"], "a request id was used with another body"
    return report
