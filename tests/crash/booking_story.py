"""A customer's way through a booking: hold, check out, pay at the page, move it, let it go for half of it."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from tests.crash.customers import Json
from tests.crash.stack import Stack
from tests.crash.story import Story
from tests.crash.studio import PER_HOUR_MINOR, add_hall

HOURS = 2
# Between the two tiers of the terms, and it stays there when it is moved: half of the money goes back.
STARTS_AFTER, MOVED_BY = timedelta(hours=36), timedelta(hours=3)
REFUND_PERCENT = 50


class BookingStory(Story):
    """One customer, one time in a hall of their own, one link that is paid once."""

    STAGES: ClassVar[tuple[str, ...]] = ("hold", "check_out", "link", "settle", "move", "let_go")
    WHOLE_AT: ClassVar[str] = "let_go"

    def __init__(self, stack: Stack, consumer: str | None = None) -> None:
        super().__init__(stack, consumer)
        self.hall_id = add_hall(stack.postgres.url(), stack.studio)
        self.price_minor = HOURS * PER_HOUR_MINOR
        self._booking: Json = {}

    @property
    def invoice_id(self) -> str:
        return str(self._booking["invoice_id"])

    @property
    def _path(self) -> str:
        return f"/bookings/{self._booking['id']}"

    @property
    def _acts(self) -> Mapping[str, Callable[[], None]]:
        return {
            "hold": self.hold,
            "check_out": self.check_out,
            "link": self.ask_for_page,
            "settle": self.pay_at_page,
            "move": self.move,
            "let_go": self.let_go,
        }

    def hold(self) -> None:
        self._booking = self.customer.command("/bookings", {"quote": self._quote(timedelta())})

    def check_out(self) -> None:
        self._booking = self.customer.command(f"{self._path}/checkout", {"payment": "online"})

    def _see_paid(self) -> None:
        self.see(self._path, "state", "confirmed")

    def move(self) -> None:
        quote = self._quote(MOVED_BY, booking_id=self._booking["id"])
        moved = self.customer.command(f"{self._path}/reschedule", {"quote": quote})
        assert _instant(moved) == _instant(self._booking) + MOVED_BY

    def let_go(self) -> None:
        canceled = self.customer.command(f"{self._path}/cancel", None)
        assert canceled["state"] == "canceled"
        self.refunded_minor = self.price_minor * REFUND_PERCENT // 100
        self.see(self._path, "refunded_minor", self.refunded_minor)

    def _quote(self, later: timedelta, **more: str) -> str:
        if self._booking:
            starts_at = _instant(self._booking) + later
        else:
            starts_at = (datetime.now(UTC) + STARTS_AFTER).replace(minute=0, second=0, microsecond=0)
        wish = {
            "hall_id": self.hall_id,
            "starts_at": starts_at.isoformat(),
            "ends_at": (starts_at + timedelta(hours=HOURS)).isoformat(),
            "people": 4,
            **more,
        }
        return str(self.customer.ask("/quotes", wish)["quote"])

    def check(self) -> None:
        """Besides: nothing of the hall is taken any more, and each time was taken once."""
        super().check()
        taken = self.stack.ask(
            "SELECT kind, released_at IS NULL FROM occupancy WHERE booking_id = %s ORDER BY starts_at",
            self._booking["id"],
        )
        assert taken == [("booking", False), ("booking", False)], taken


def _instant(booking: Json) -> datetime:
    return datetime.fromisoformat(booking["starts_at"])
