"""The second half of the story: two want one slot; one pays, moves and cancels; money comes too late.

Called by `demo.story`, whose customer is the third. Each step is a method that says what happened and raises
StepFailed otherwise.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from demo.amounts import spoken
from demo.client import Answer, ApiClient, Json, Problem, remaining
from demo.expectations import expect, wait_for
from demo.guest import API, Guest, choose
from demo.staff import billbus
from demo.told import Told
from demo.twin import Twin

RACE_MINUTES, MOVED_MINUTES, LATE_MINUTES = 120, 180, 60
# Longer than a hold of the demo studio's lasts.
LATE_SECONDS = 1_000


class BookingStory:
    """Vera and Gleb, and `third`, who is signed in already."""

    def __init__(self, third: ApiClient, twin: Twin) -> None:
        self._third = Guest("Анна", "anna", third)
        self._guests = [
            Guest("Вера", "vera", third.another()),
            Guest("Глеб", "gleb", third.another()),
        ]
        self._twin = twin
        self._hall: Json = {}
        self._quotes: list[Json] = []
        # Known after the race.
        self._winner, self._other = self._guests
        self._alternatives: list[Json] = []

    def want_one_slot(self, _deadline: float) -> Told:
        self._hall = choose(self._third.api.get(f"{API}/halls")["items"])
        slot = self._third.find_slot(self._hall["id"], RACE_MINUTES)
        for guest in self._guests:
            guest.register()
        self._quotes = [guest.quote(slot) for guest in self._guests]
        total = self._sum(self._quotes[0]["total_minor"])
        return Told(f"{self._hall['name']}, {self._when(slot)}, {total} each")

    def race(self, deadline: float) -> Told:
        """Both at the same moment."""
        with ThreadPoolExecutor(len(self._guests)) as pool:
            tries = [
                pool.submit(guest.try_to_hold, quote, deadline)
                for guest, quote in zip(self._guests, self._quotes, strict=True)
            ]
            answers = [one.result() for one in tries]
        held = [isinstance(answer, Answer) for answer in answers]
        expect(sum(held) == 1, "one of two to hold the slot", answers)
        self._winner, self._other = self._guests if held[0] else self._guests[::-1]
        refusal = next(answer for answer in answers if isinstance(answer, Problem))
        self._alternatives = refusal.facts.get("alternatives", [])
        expect(refusal.code == "slot_taken" and bool(self._alternatives), "alternatives", refusal)
        what = f"{self._winner.name} has it, {self._other.name} gets {len(self._alternatives)} alternatives"
        return Told(what, "applied, slot_taken", "booking held")

    def take_alternative(self, deadline: float) -> Told:
        slot = self._alternatives[0]
        answer = self._other.hold(slot, deadline)
        return Told(
            f"{self._other.name}: {slot['hall_name']}, {self._when(slot)}", answer.seen, "booking held"
        )

    def pay(self, deadline: float) -> Told:
        self._winner.check_out_and_pay(deadline)
        booking = self._winner.wait_until("confirmed", deadline)
        return Told(
            f"{self._winner.name} pays {self._sum(booking['paid_minor'])}", states="booking confirmed"
        )

    def move(self, deadline: float) -> Told:
        """To a longer time: what it costs more is paid as the first sum was."""
        winner, before = self._winner, self._winner.booking
        slot = winner.find_slot(self._hall["id"], MOVED_MINUTES)
        quote = winner.quote(slot, before["id"])
        answer = winner.command("reschedule", {"quote": quote["quote"]}, deadline)
        more = quote["total_minor"] - before["total_minor"]
        expect(0 < more == answer.resource["due_minor"], f"{more} more to pay", answer.resource)
        winner.pay(deadline)
        winner.wait(
            lambda seen: seen["paid_minor"] == quote["total_minor"], "the difference to be paid", deadline
        )
        return Told(f"to {self._when(slot)}, pays {self._sum(more)} more", answer.seen, "booking confirmed")

    def cancel(self, deadline: float) -> Told:
        """By the terms of the booking, and the provider has really given it back."""
        winner = self._winner
        paid = winner.booking["paid_minor"]
        promise = winner.api.get(f"{API}/bookings/{winner.booking['id']}/cancellation")
        back = promise["refund_minor"]
        expect(0 < back < paid, "a part of the money to go back", promise)
        answer = winner.command("cancel", None, deadline)
        expect(answer.resource["state"] == "canceled", "a canceled booking", answer.resource)
        winner.wait(lambda seen: seen["refunded_minor"] == back, f"{back} to be given back", deadline)
        self._expect_given_back(winner, back, deadline)
        what = f"{self._sum(back)} of {self._sum(paid)} back: {promise['refund_percent']} % by its terms"
        return Told(what, answer.seen, "booking canceled, refund succeeded")

    def pay_unheard(self, deadline: float) -> Told:
        """Both pay for a held slot, and the provider neither tells of it nor answers who asks."""
        slot = self._winner.find_slot(self._hall["id"], LATE_MINUTES)
        self._winner.hold(slot, deadline)
        self._twin.keep_quiet(len(self._guests))
        for guest in self._guests:
            guest.check_out_and_pay(deadline)
        times = " and ".join(f"{one.name} {self._when(one.booking)}" for one in (self._winner, self._other))
        return Told(f"{times}; the provider is mute", states="booking awaiting_payment")

    def lose_holds(self, deadline: float) -> Told:
        billbus(["demo", "clock", str(LATE_SECONDS)], remaining(deadline))
        for guest in self._guests:
            guest.wait_until("expired", deadline)
        return Told(f"the studio's clock is {LATE_SECONDS} s ahead", states="booking expired, twice")

    def take_lost_slot(self, deadline: float) -> Told:
        answer = self._third.hold(self._winner.booking, deadline)
        taken = f"{self._third.name}: {self._when(self._third.booking)}, which {self._winner.name} had"
        return Told(taken, answer.seen, "booking held")

    def hear_late(self, deadline: float) -> Told:
        """Whose hall is free has it again; whose hall is not has the money back."""
        self._twin.speak()
        again = self._other.wait_until("confirmed", deadline)
        expect(again["due_minor"] == 0, "a booking that is paid", again)
        lost = self._winner.booking["total_minor"]
        self._expect_given_back(self._winner, lost, deadline)
        self._winner.wait_until("expired", deadline)
        self._third.command("cancel", None, deadline)
        billbus(["demo", "clock", "0"], remaining(deadline))
        what = f"{self._other.name} has the time again, {self._winner.name} gets {self._sum(lost)} back"
        return Told(what, states="booking confirmed, refund succeeded")

    def _expect_given_back(self, guest: Guest, minor: int, deadline: float) -> None:
        look = partial(self._twin.given_back_minor, guest.attempt_ids)
        wait_for(look, lambda seen: seen == minor, f"{minor} given back by the twin", deadline)

    def _when(self, slot: Json) -> str:
        """By the studio's clock."""
        zone = ZoneInfo(self._hall["timezone"])
        starts, ends = (
            datetime.fromisoformat(slot[name]).astimezone(zone) for name in ("starts_at", "ends_at")
        )
        return f"{starts:%d.%m. %H:%M}–{ends:%H:%M}"

    def _sum(self, minor: int) -> str:
        return spoken({"amount_minor": minor, "currency": self._hall["currency"]})


BOOKING_STEPS: tuple[tuple[str, Callable[[BookingStory, float], Told]], ...] = (
    ("Two want one slot", BookingStory.want_one_slot),
    ("Both press at once", BookingStory.race),
    ("The other takes another", BookingStory.take_alternative),
    ("The first pays", BookingStory.pay),
    ("Moves the booking", BookingStory.move),
    ("Cancels the booking", BookingStory.cancel),
    ("Two pay, no word comes", BookingStory.pay_unheard),
    ("Their holds run out", BookingStory.lose_holds),
    ("A third takes one slot", BookingStory.take_lost_slot),
    ("The money comes late", BookingStory.hear_late),
)
