"""A customer who books: what they do at the API, from a free time to a paid one.

Called by the story of bookings. Each deed raises StepFailed unless it comes out as it says.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from demo.client import Answer, ApiClient, Json, Problem
from demo.expectations import StepFailed, expect, wait_for
from demo.payer import press_button

API = "/api/v1"
# Near enough that the terms give back a part of it, far enough that it may still be moved.
AHEAD_MIN, AHEAD_MAX = timedelta(hours=30), timedelta(hours=66)
PEOPLE = 3


@dataclass
class Guest:
    """One person. `booking` as the API showed it last, `attempt_ids` of everything they paid for it."""

    name: str
    email_name: str
    api: ApiClient
    booking: Json = field(default_factory=dict)
    attempt_ids: list[str] = field(default_factory=list)

    def register(self) -> None:
        email = f"{self.email_name}.{secrets.token_hex(4)}@example.org"
        person = {"email": email, "password": secrets.token_urlsafe(16), "name": self.name}
        self.api.sign_in_with(self.api.post(f"{API}/auth/register", person, 201)["access_token"])

    def find_slot(self, hall_id: str, minutes: int) -> Json:
        """The first free time of this length that is neither too near nor too far."""
        now = datetime.now(UTC)
        first, until = now.date(), now.date() + timedelta(days=4)
        path = f"{API}/halls/{hall_id}/availability?from={first}&to={until}&duration={minutes}"
        starts = [datetime.fromisoformat(start) for start in self.api.get(path)["halls"][0]["starts"]]
        fits = [start for start in starts if AHEAD_MIN < start - now < AHEAD_MAX]
        expect(bool(fits), f"{minutes} free minutes in the days to come", starts)
        ends = fits[0] + timedelta(minutes=minutes)
        return {"hall_id": hall_id, "starts_at": fits[0].isoformat(), "ends_at": ends.isoformat()}

    def quote(self, slot: Json, booking_id: str | None = None) -> Json:
        """What a slot costs; `booking_id` to move that booking."""
        wish = {name: slot[name] for name in ("hall_id", "starts_at", "ends_at")} | {"people": PEOPLE}
        return self.api.post(f"{API}/quotes", {**wish, "booking_id": booking_id}, 200)

    def try_to_hold(self, quote: Json, deadline: float) -> Answer | Problem:
        """A held booking, or why not."""
        answer = self.api.try_command(f"{API}/bookings", {"quote": quote["quote"]}, deadline)
        if isinstance(answer, Answer):
            expect(answer.resource["state"] == "held", "a held booking", answer.resource)
            self.booking, self.attempt_ids = answer.resource, []
        return answer

    def hold(self, slot: Json, deadline: float) -> Answer:
        answer = self.try_to_hold(self.quote(slot), deadline)
        if isinstance(answer, Problem):
            raise StepFailed(f"{self.name} holds a free slot", str(answer))
        return answer

    def command(self, what: str, body: Json | None, deadline: float) -> Answer:
        """A command about the booking."""
        answer = self.api.command(f"{API}/bookings/{self.booking['id']}/{what}", body, deadline)
        self.booking = answer.resource
        return answer

    def pay(self, deadline: float) -> None:
        """The open invoice of the booking, at the provider's page."""
        wish = {"provider": "cloudpayments", "method": "link"}
        path = f"{API}/invoices/{self.booking['invoice_id']}/pay"
        attempt_id = self.api.command(path, wish, deadline).resource["id"]
        self.attempt_ids.append(attempt_id)
        attempt = wait_for(
            lambda: self.api.get(f"{API}/payment-attempts/{attempt_id}"),
            lambda seen: seen["redirect_url"] is not None,
            "an attempt to pay with the address of the provider's page",
            deadline,
        )
        seen = press_button(attempt["redirect_url"], "Pay")
        expect("Paid" in seen.after.split(), "a page that says Paid", seen.after)

    def check_out_and_pay(self, deadline: float) -> None:
        self.command("checkout", {"payment": "online"}, deadline)
        self.pay(deadline)

    def wait(self, holds: Callable[[Json], bool], expected: str, deadline: float) -> Json:
        """Until the booking is so."""
        path = f"{API}/bookings/{self.booking['id']}"
        self.booking = wait_for(lambda: self.api.get(path), holds, expected, deadline)
        return self.booking

    def wait_until(self, state: str, deadline: float) -> Json:
        return self.wait(lambda seen: seen["state"] == state, f"a booking that is {state}", deadline)


def choose(halls: Sequence[Json]) -> Json:
    """The hall that the story is about: the first that an hour can be booked in."""
    hall = next((one for one in halls if one["minutes_min"] <= 60), None)
    if hall is None:
        raise StepFailed("a hall that can be booked for an hour", str(halls))
    return hall
