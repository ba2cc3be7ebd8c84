"""A walk: commands of bookings and of their money, drawn from a seed, applied by two consumers at once.

Called by `test_walks`. Much of it is refused, and that is as it should be. Nothing may be parked, and nobody
may hit a bug.
"""

import random
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace
from typing import cast
from uuid import UUID

import psycopg

from billing.refunds import GOING_BACK
from client_api.admission import answer_check
from client_api.services import Services
from providers.port import Callback, CallbackKind, ProviderAccount
from state_updater.apply import Received, apply_group
from storage.database import connect_as
from tests.integration.state_updater.draws import Draws, Seen, look
from tests.integration.state_updater.shops import Row, said
from tests.integration.state_updater.stages import Stage

GROUP_SIZE_MAX = 8
# More than a few rounds take by the world's clock.
SECONDS_OF_ROUND = 10
COMMANDS_OF_ROUND = 14
PASSES = (0, 0, 0, 1, 20, 50, 70, 200, 200, 400, 950, 1_000, 3_600, 14_400, 43_200)

# What was paid for a booking and did not go back for a move, and the least that it ever cost.
_PAID_FOR = """
    SELECT b.id, coalesce(sum(p.amount_minor), 0) - coalesce((
            SELECT sum(r.amount_minor) FROM refund r JOIN invoice i ON i.id = r.invoice_id
            WHERE i.booking_id = b.id AND r.origin = 'terms' AND r.state = ANY (:going)), 0), (
        SELECT min(cost) FROM (
            SELECT sum((line ->> 'quantity')::bigint * (line ->> 'unit_amount_minor')::bigint) AS cost
            FROM state_event e, jsonb_array_elements(e.facts -> 'lines') AS line
            WHERE e.aggregate_id = b.id GROUP BY e.version) AS costs)
    FROM booking b LEFT JOIN invoice i ON i.booking_id = b.id
    LEFT JOIN provider_payment p ON p.invoice_id = i.id
    WHERE b.studio_id = :studio AND b.payment = 'online' AND b.state IN ('confirmed', 'completed', 'no_show')
    GROUP BY b.id
"""


class Walk:
    """One studio's story. `refused` counts what was said to its commands."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self._stage = stage
        self._random = random.Random(seed)
        self.said: dict[str, int] = {}
        self._draws = Draws(stage, self._random)
        self._now = stage.at(0) - timedelta(hours=self._random.choice((20, 40, 60, 100)))
        self._told: list[Received] = []
        self._second = connect_as(stage.url, "billbus_updater", "test")
        stage.set_clock(self._now)

    def close(self) -> None:
        self._second.close()

    def underpaid(self) -> list[tuple[UUID, int, int]]:
        """Bookings that stand for less than the cheapest time that they ever had: id, money, price."""
        found = self._stage.rows(_PAID_FOR, going=sorted(GOING_BACK))
        return [(booking_id, int(paid), int(least)) for booking_id, paid, least in found if paid < least]

    # -------------------------------------------------------------- a round

    def round(self) -> None:
        """Some commands, accepted together and applied by two at once, in groups of any size."""
        passes = self._random.choice(PASSES)
        if passes:
            # A clock that goes back is no walk: what the past looked like is judged by it.
            self._now += timedelta(seconds=passes + SECONDS_OF_ROUND)
            self._stage.set_clock(self._now)
        seen = look(self._stage)
        drawn = [self._draws.draw(seen, self._now) for _ in range(COMMANDS_OF_ROUND)]
        received = [self._stage.accept(command) for command in drawn if command]
        again = self._random.sample(self._told, min(2, len(self._told)))
        self._told = (self._told + received)[-60:]
        lines: tuple[list[Received], list[Received]] = ([], [])
        for each in [*received, *again]:
            # One customer's commands come one after another, as on the bus, mostly.
            lines[self._random.random() < 0.5].append(each)
        with ThreadPoolExecutor(3) as pool:
            asked = pool.submit(self._ask, seen, self._random.random())
            applied = [
                pool.submit(self._apply, connection, line, self._random.randint(1, GROUP_SIZE_MAX))
                for connection, line in zip((self._stage.updater, self._second), lines, strict=True)
            ]
        self._count(applied)
        asked.result()

    def _apply(self, connection: psycopg.Connection[Row], line: Sequence[Received], size: int) -> list[str]:
        told = []
        for start in range(0, len(line), size):
            try:
                applied = apply_group(connection, line[start : start + size])
            except BaseException:
                connection.rollback()
                raise
            assert not applied.strangers
            for answer in applied.answers:
                assert answer.state != "parked", (answer.kind, answer.problem)
                told.append(f"{answer.kind} {said(answer)}")
        return told

    def _count(self, applied: "Sequence[Future[list[str]]]") -> None:
        for future in applied:
            for word in future.result():
                self.said[word] = self.said.get(word, 0) + 1

    # -------------------------------------------------------------- may I take this money?

    def _ask(self, seen: Seen, draw: float) -> None:
        """A provider asks while commands are applied."""
        live = [row for row in seen.attempts if row[4] in ("sent", "requires_action", "pending")]
        if not live or draw < 0.3:
            return
        attempt_id, customer_id, _, amount_minor, _ = live[int(draw * 1_000) % len(live)]
        account = ProviderAccount(
            self._stage.account_id, "cloudpayments", "pk", "secret", "http://127.0.0.1:9", "", True
        )
        callback = Callback(
            kind=CallbackKind.CHECK, transaction_id=f"of {attempt_id}", payment_transaction_id=None,
            attempt_reference=str(attempt_id), amount_minor=amount_minor, currency="RUB",
            customer_reference=str(customer_id), status="Completed", decline=None, is_test=True,
            card_mask=None, refund_reference=None, deduplication_hash=b"",
        )  # fmt: skip
        services = cast(Services, SimpleNamespace(engine=self._stage.api))
        answer = answer_check(services, self._stage.studio_id, account, callback)
        word = f"check {answer.value}"
        self.said[word] = self.said.get(word, 0) + 1
