"""Which process dies where, at which stage of the story: a table, and how one line of it is played."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.crash.booking_story import BookingStory
from tests.crash.stack import Stack
from tests.crash.story import Fault, Story, set_faults, verify_settled

DEATH_SECONDS_MAX = 15.0

API, CONSUMER, RELAY, WORKER = "client_api", "billing_consumer", "state_updater", "worker"


@dataclass(frozen=True)
class Point:
    """`process` dies at the `nth` passing of `name`, counted from the beginning of `stage`.

    The stage says which story is played.
    """

    process: str
    name: str
    stage: str
    nth: int = 1
    faults: tuple[Fault, ...] = ()

    def __str__(self) -> str:
        said = f"{self.process}-{self.name}-{self.nth}-{self.stage}"
        return "-".join([said, *(fault.kind for fault in self.faults)])


def play(stack: Stack, point: Point, consumer: str) -> None:
    """The whole story with one death in it, and the verdict. `consumer` owns the customer's partition."""
    process = consumer if point.process == CONSUMER else point.process
    kind = BookingStory if point.stage in BookingStory.STAGES else Story
    stages = kind.STAGES
    with kind(stack, consumer) as story:
        for stage in stages[: max(stages.index(point.stage), stages.index(kind.WHOLE_AT)) + 1]:
            if stage == point.stage:
                set_faults(stack, *point.faults)
                arm(stack, process, f"{point.name}:{point.nth}")
            story.play(stage)
        # What the customer sees may be there before the process has come to its point.
        stack.until(lambda: stack.deaths or None, f"a death at {point}", DEATH_SECONDS_MAX)
        assert stack.deaths == [process]
        verify_settled(stack)
        story.check()


def arm(stack: Stack, process: str, crash_at: str, *, stays_dead: bool = False) -> None:
    """A consumer is made to hold its own partitions again, so that it and no stand-by gets the message."""
    if process in stack.consumers:
        for other in stack.consumers:
            if other != process:
                stack.kill(other)
                stack.launch(other)
    stack.arm(process, crash_at, stays_dead=stays_dead)


LOST_CALLBACK = Fault("callback/pay", "callback_lost")
CUT_PAGE = (Fault("orders/create", "cut_after_effect"),)
CUT_REFUND = (Fault("payments/refund", "cut_after_effect"), Fault("callback/refund", "callback_lost"))
CALL_STEPS = (
    "before_call_record",
    "after_call_record",
    "after_call",
    "before_outcome_commit",
    "after_outcome_commit",
)


def call_points(stage: str, *faults: Fault, nth: int = 1) -> Sequence[Point]:
    """A death around each step of one call to the provider."""
    return [Point(WORKER, name, stage, nth, faults) for name in CALL_STEPS]


ACCEPTING = (
    Point(API, "before_journal_commit", "subscribe"),
    Point(API, "after_journal_commit", "pay"),
    Point(API, "before_publish", "refund"),
    Point(API, "after_confirm", "subscribe"),
)
HEARING = (
    Point(API, "after_check_commit", "page"),
    Point(API, "before_callback_commit", "page"),
    Point(API, "after_callback_commit", "page"),
)
APPLYING = (
    Point(CONSUMER, "after_receive", "subscribe"),
    Point(CONSUMER, "inside_transaction", "pay"),
    Point(CONSUMER, "after_writes", "page"),
    Point(CONSUMER, "after_commit", "page"),
)
RELAYING = (
    Point(RELAY, "relay_after_select", "pay"),
    Point(RELAY, "relay_after_publish", "pay"),
    Point(RELAY, "relay_after_publish", "page"),
)
CONFIRMING = (
    Point(API, "before_confirm", "pay"),
    Point(WORKER, "before_confirm", "pay"),
    Point(RELAY, "before_confirm", "page"),
)
CALLING = (
    *call_points("pay"),
    *call_points("refund"),
    *call_points("page", LOST_CALLBACK),
)
# The provider has done it, nobody has heard, and then the worker dies on its way to find out.
CALLING_AFTER_A_CUT = (
    Point(WORKER, "after_call", "pay", 1, CUT_PAGE),
    Point(WORKER, "after_call_record", "pay", 2, CUT_PAGE),
    Point(WORKER, "after_call", "refund", 1, CUT_REFUND),
    Point(WORKER, "after_call", "refund", 2, CUT_REFUND),
)
# The same over a booking: a hall's time is held, moved and let go, and what goes back is by terms.
BOOKING = (
    Point(API, "before_journal_commit", "hold"),
    Point(API, "after_journal_commit", "check_out"),
    Point(API, "before_publish", "move"),
    Point(API, "before_confirm", "hold"),
    Point(API, "after_confirm", "let_go"),
    Point(API, "after_check_commit", "settle"),
    Point(API, "before_callback_commit", "settle"),
    Point(API, "after_callback_commit", "settle"),
    Point(CONSUMER, "after_receive", "hold"),
    Point(CONSUMER, "inside_transaction", "check_out"),
    Point(CONSUMER, "after_writes", "settle"),
    Point(CONSUMER, "after_commit", "move"),
    Point(CONSUMER, "after_writes", "let_go"),
    Point(RELAY, "relay_after_select", "hold"),
    Point(RELAY, "relay_after_publish", "let_go"),
    Point(RELAY, "before_confirm", "settle"),
    *call_points("let_go"),
)
