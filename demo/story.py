"""The main job, step by step: a customer subscribes, pays, has it back and leaves; bookings; the books.

Called by `demo.__main__`. Each step is a method that says what happened and raises StepFailed otherwise; the
order of STEPS is the order of the story. How steps are shown is not decided here.
"""

import secrets
import time
from collections.abc import Callable

import httpx

from demo.amounts import spoken
from demo.bookings import BOOKING_STEPS, BookingStory
from demo.client import ApiClient, Json, remaining
from demo.expectations import StepFailed, expect, wait_for
from demo.payer import press_button
from demo.staff import billbus
from demo.told import Told
from demo.twin import Twin

STEP_SECONDS_MAX = 30.0
MAILBOX_SECONDS_MAX = 10.0
PREFERRED_PLAN = "month"
REFUND_REASON = "Переезжаю в другой город"
API = "/api/v1"
ADMIN_API = "/admin/api/v1"


class Story:
    """One fresh customer. Facts that a later step needs are set by the earlier one."""

    def __init__(
        self,
        api: ApiClient,
        staff: ApiClient,
        twin_url: str,
        mailbox_url: str,
        staff_email: str,
        staff_password: str,
    ) -> None:
        self._api = api
        self._staff = staff
        self._credentials = {"email": staff_email, "password": staff_password}
        self._twin = Twin(twin_url)
        self.bookings = BookingStory(api, self._twin)
        self._mailbox_url = mailbox_url.rstrip("/")
        self._email = ""
        self._price: Json = {}
        self._subscription_id = ""
        self._invoice_id = ""
        self._attempt_id = ""
        self._page_url = ""
        self._refund_id = ""

    def register(self, _deadline: float) -> Told:
        email = f"anna.{secrets.token_hex(4)}@example.org"
        customer = {"email": email, "password": secrets.token_urlsafe(16), "name": "Анна"}
        tokens = self._api.post(f"{API}/auth/register", customer, 201)
        self._api.sign_in_with(tokens["access_token"])
        me = self._api.get(f"{API}/me")
        expect(me["email"] == email, f"to be signed in as {email}", me)
        self._email = email
        return Told(email)

    def list_plans(self, _deadline: float) -> Told:
        plans = self._api.get(f"{API}/plans")["items"]
        expect(bool(plans), "plans for sale", plans)
        plan = next((one for one in plans if one["code"] == PREFERRED_PLAN), plans[0])
        self._price = plan["prices"][0]
        return Told(f"takes “{plan['name']}”, {spoken(self._price['amount'])}")

    def subscribe(self, deadline: float) -> Told:
        answer = self._api.command(f"{API}/subscriptions", {"price_id": self._price["id"]}, deadline)
        subscription = answer.resource
        expect(subscription["state"] == "incomplete", "an incomplete subscription", subscription)
        expect(bool(subscription["latest_invoice_id"]), "its first invoice", subscription)
        self._subscription_id = subscription["id"]
        self._invoice_id = subscription["latest_invoice_id"]
        return Told(subscription["plan_name"], answer.seen, "subscription incomplete")

    def see_invoice(self, _deadline: float) -> Told:
        invoice = self._invoice()
        expect(invoice["state"] == "open", "an open invoice", invoice)
        expect(invoice["due"] == self._price["amount"], f"{self._price['amount']} due", invoice["due"])
        return Told(f"№ {invoice['number']}, {spoken(invoice['due'])} due", states="invoice open")

    def pay(self, deadline: float) -> Told:
        wish = {"provider": "cloudpayments", "method": "link"}
        answer = self._api.command(f"{API}/invoices/{self._invoice_id}/pay", wish, deadline)
        self._attempt_id = answer.resource["id"]
        attempt = wait_for(
            lambda: self._api.get(f"{API}/payment-attempts/{self._attempt_id}"),
            lambda seen: seen["redirect_url"] is not None,
            "an attempt to pay with the address of the provider's page",
            deadline,
        )
        self._page_url = attempt["redirect_url"]
        host = httpx.URL(self._page_url).netloc.decode()
        return Told(f"the provider has a page at {host}", answer.seen, f"payment {attempt['state']}")

    def press_pay(self, _deadline: float) -> Told:
        seen = press_button(self._page_url, "Pay")
        amount = " ".join(spoken(self._price["amount"]).split())
        expect(amount in seen.before, f"{amount} on the payment page", seen.before)
        expect("Paid" in seen.after.split(), "a page that says Paid", seen.after)
        return Told(f"presses Pay for {spoken(self._price['amount'])}")

    def hear_callback(self, deadline: float) -> Told:
        callback = wait_for(
            self._pay_callback,
            lambda seen: seen is not None and seen["state"] == "delivered",
            "a signed pay callback, delivered",
            deadline,
        )
        invoice = wait_for(
            self._invoice, lambda seen: seen["state"] == "paid", "the invoice to be paid", deadline
        )
        attempt = self._api.get(f"{API}/payment-attempts/{self._attempt_id}")
        expect(attempt["state"] == "succeeded", "the attempt to have succeeded", attempt)
        transaction = callback["transaction_id"] if callback else ""
        what = f"transaction {transaction}, {spoken(invoice['paid'])}, signed"
        return Told(what, "applied", "payment succeeded, invoice paid")

    def be_active(self, deadline: float) -> Told:
        subscription = wait_for(
            self._subscription, lambda seen: seen["state"] == "active", "an active subscription", deadline
        )
        return Told(f"until {subscription['current_period_end'][:10]}", states="subscription active")

    def read_letter(self, deadline: float) -> Told:
        """The product wrote, over SMTP, that the invoice is paid."""
        number = self._invoice()["number"]
        letter = wait_for(
            lambda: self._find_letter(number),
            lambda seen: seen is not None,
            f"a letter to {self._email} about invoice {number}",
            deadline,
        )
        return Told(f"“{letter['subject']}”" if letter else "")

    def request_refund(self, deadline: float) -> Told:
        wish = {"amount_minor": self._price["amount"]["amount_minor"], "reason": REFUND_REASON}
        answer = self._api.command(f"{API}/invoices/{self._invoice_id}/refund-requests", wish, deadline)
        expect(answer.resource["state"] == "requested", "a refund that waits for staff", answer.resource)
        self._refund_id = answer.resource["id"]
        return Told(f"asks for {spoken(answer.resource['amount'])}", answer.seen, "refund requested")

    def approve_refund(self, deadline: float) -> Told:
        self._staff.sign_in_with(
            self._staff.post(f"{ADMIN_API}/sign-in", self._credentials, 200)["access_token"]
        )
        answer = self._staff.command(f"{ADMIN_API}/refunds/{self._refund_id}/approve", {}, deadline)
        expect(answer.resource["state"] == "applied", "an applied command", answer.resource)
        state = self._refund()["state"]
        expect(state in ("approved", "sent", "succeeded"), "an approved refund", state)
        return Told("in the managers' admin", answer.seen, f"refund {state}")

    def get_money_back(self, deadline: float) -> Told:
        wait_for(self._refund, lambda seen: seen["state"] == "succeeded", "a refund that succeeded", deadline)
        invoice = self._invoice()
        expect(invoice["state"] == "refunded", "a refunded invoice", invoice)
        return Told(f"{spoken(invoice['refunded'])} back", states="refund succeeded, invoice refunded")

    def cancel(self, deadline: float) -> Told:
        path = f"{API}/subscriptions/{self._subscription_id}/cancel"
        answer = self._api.command(path, None, deadline)
        expect(answer.resource["state"] == "canceled", "a canceled subscription", answer.resource)
        return Told("at once", answer.seen, "subscription canceled")

    def verify_books(self, deadline: float) -> Told:
        wait_for(
            lambda: self._twin.callbacks(self._attempt_id),
            lambda seen: all(one["state"] == "delivered" for one in seen),
            "every callback delivered",
            deadline,
        )
        said = self._clean_verdict(deadline)
        return Told(said.splitlines()[-1])

    def _clean_verdict(self, deadline: float) -> str:
        """What has just been delivered may still be on its way through the bus: then once more."""
        while True:
            try:
                return billbus(["verify", "--settled", "--twin", self._twin.url], remaining(deadline))
            except StepFailed:
                if time.monotonic() > deadline - STEP_SECONDS_MAX / 2:
                    raise

    def _invoice(self) -> Json:
        return self._api.get(f"{API}/invoices/{self._invoice_id}")

    def _subscription(self) -> Json:
        return self._api.get(f"{API}/subscriptions/{self._subscription_id}")

    def _refund(self) -> Json:
        refunds: list[Json] = self._invoice()["refunds"]
        refund = next((one for one in refunds if one["id"] == self._refund_id), None)
        if refund is None:
            raise StepFailed(f"refund {self._refund_id} of the invoice", str(refunds))
        return refund

    def _pay_callback(self) -> Json | None:
        told = self._twin.callbacks(self._attempt_id)
        return next((one for one in told if one["name"] == "pay"), None)

    def _find_letter(self, words: str) -> Json | None:
        """The newest letter to our customer that holds these words."""
        try:
            answer = httpx.get(
                f"{self._mailbox_url}/_mailbox/messages", timeout=MAILBOX_SECONDS_MAX, trust_env=False
            )
            letters: list[Json] = answer.raise_for_status().json()
        except httpx.HTTPError as error:
            raise StepFailed(f"the mailbox at {self._mailbox_url}", repr(error)) from error
        return next((one for one in letters if self._email in one["to"] and words in one["text"]), None)


Step = Callable[[Story, float], Told]


def _of_bookings(step: Callable[[BookingStory, float], Told]) -> Step:
    return lambda story, deadline: step(story.bookings, deadline)


STEPS: tuple[tuple[str, Step], ...] = (
    ("A customer registers", Story.register),
    ("Looks at the plans", Story.list_plans),
    ("Subscribes", Story.subscribe),
    ("Sees the invoice", Story.see_invoice),
    ("Chooses to pay by link", Story.pay),
    ("Pays at the provider", Story.press_pay),
    ("The provider calls back", Story.hear_callback),
    ("The subscription begins", Story.be_active),
    ("A letter comes", Story.read_letter),
    ("Asks for a refund", Story.request_refund),
    ("Staff approves it", Story.approve_refund),
    ("The money goes back", Story.get_money_back),
    ("Cancels", Story.cancel),
    *((title, _of_bookings(step)) for title, step in BOOKING_STEPS),
    ("The books are checked", Story.verify_books),
)
