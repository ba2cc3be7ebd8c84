"""Waves: few statements, and nobody's order is broken."""

from dataclasses import dataclass
from uuid import UUID

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.events import EVENTS
from kit.errors import InvariantViolated
from runtime.settings import LOOK_UP_DELAYS_SECONDS
from state_updater import statements
from state_updater.booking_rows import Booking
from state_updater.machines import MACHINES
from state_updater.notices import EVENT_OF_STEP
from state_updater.rows import AGGREGATES, INSERTED, TOUCHED, Invoice
from state_updater.tasks.schedule import look_up_delay_seconds
from state_updater.writing import INSERTS, OPEN_INVOICE, STEPS, TOUCHES, Kind, Waves, check_counts

KINDS = [Kind(f"STATEMENT {number}", ("id",)) for number in range(4)]


@dataclass(frozen=True)
class Write:
    kind: int
    row: int
    group: int
    hall: int | None = None

    @property
    def groups(self) -> list[UUID]:
        halls = [] if self.hall is None else [UUID(int=2000 + self.hall)]
        return [UUID(int=1000 + self.group), *halls]


WRITES = st.lists(
    st.builds(
        Write,
        kind=st.integers(0, 3),
        row=st.integers(0, 9),
        group=st.integers(0, 2),
        hall=st.none() | st.integers(0, 1),
    ),
    max_size=40,
)


def _statements(writes: list[Write]) -> list[tuple[str, list[int]]]:
    """The statements in their order, each with the positions of the writes that it holds."""
    waves = Waves()
    for position, write in enumerate(writes):
        waves.add(KINDS[write.kind], UUID(int=write.row), write.groups, [position])
    return [(each.kind.sql, [row[0] for row in each.rows]) for each in waves._statements]


@given(WRITES)
def test_every_write_is_in_one_statement_of_its_own_kind(writes: list[Write]) -> None:
    placed = [(position, sql) for sql, rows in _statements(writes) for position in rows]
    assert sorted(position for position, _ in placed) == list(range(len(writes)))
    assert all(sql == KINDS[writes[position].kind].sql for position, sql in placed)


@given(WRITES)
def test_no_row_is_twice_in_one_statement(writes: list[Write]) -> None:
    for _, positions in _statements(writes):
        rows = [writes[position].row for position in positions]
        assert len(rows) == len(set(rows))


@given(WRITES)
def test_the_order_of_each_row_each_group_and_each_hall_is_kept(writes: list[Write]) -> None:
    reached = {
        position: (index, place)
        for index, (_, positions) in enumerate(_statements(writes))
        for place, position in enumerate(positions)
    }
    for name in ("row", "group", "hall"):
        for later, write in enumerate(writes):
            own = getattr(write, name)
            for earlier in range(later):
                if own is not None and getattr(writes[earlier], name) == own:
                    assert reached[earlier] < reached[later]


def test_the_same_story_of_many_customers_takes_as_many_statements_as_one() -> None:
    story = [(0, 0), (1, 0), (2, 1), (3, 1)]
    one = [Write(kind, row, 0) for kind, row in story]
    many = [Write(kind, customer * 10 + row, customer) for customer in range(50) for kind, row in story]
    assert len(_statements(many)) == len(_statements(one)) == 4


def test_one_customer_gives_a_hall_back_before_another_takes_it() -> None:
    releases, takes = 0, 1
    writes = [Write(takes, 1, 0, hall=5), Write(releases, 2, 1, hall=7), Write(takes, 3, 2, hall=7)]
    assert [rows for _, rows in _statements(writes)] == [[0], [1], [2]]


def test_two_steps_of_one_row_are_in_two_statements_even_with_others_between() -> None:
    writes = [Write(0, 1, 0), Write(0, 2, 1), Write(0, 1, 0), Write(0, 1, 0)]
    assert [rows for _, rows in _statements(writes)] == [[0, 1], [2], [3]]


def test_a_row_comes_after_the_one_it_points_to_whoever_wrote_that() -> None:
    waves = Waves()
    payments, refunds = KINDS[0], KINDS[1]
    waves.add(refunds, UUID(int=1), [UUID(int=101)], ["another refund"])
    waves.add(payments, UUID(int=2), [UUID(int=102)], ["its payment"])
    waves.add(refunds, UUID(int=3), [UUID(int=103)], ["the refund"], UUID(int=2))
    waves.add(refunds, UUID(int=4), [UUID(int=104)], ["one of a payment that is there"], UUID(int=9))
    assert [[name for (name,) in each.rows] for each in waves._statements] == [
        ["another refund", "one of a payment that is there"],
        ["its payment"],
        ["the refund"],
    ]


class _Cursor:
    def __init__(self, rowcount: int) -> None:
        self.rowcount = rowcount


def _sent(rowcount: int, expected: int) -> "list[tuple[psycopg.Cursor[object], int, str]]":
    return [(_Cursor(rowcount), expected, "UPDATE invoice")]  # type: ignore[list-item]


def test_a_row_that_was_not_written_is_our_bug() -> None:
    check_counts(_sent(2, 2))
    with pytest.raises(InvariantViolated, match="rows_missed"):
        check_counts(_sent(1, 2))


def test_every_step_asks_for_the_version_it_follows() -> None:
    for kind in (*STEPS.values(), OPEN_INVOICE):
        assert "t.version = u.version - 1" in kind.sql
    assert set(STEPS) == set(AGGREGATES)
    assert set(INSERTS) == set(INSERTED)
    assert set(TOUCHES) == set(TOUCHED)


def test_only_an_opened_invoice_gets_number_and_instant() -> None:
    assert OPEN_INVOICE.sql.count("number") > 0
    assert "number" not in STEPS[Invoice].sql


def test_json_travels_as_text_and_is_cast_row_by_row() -> None:
    assert "lines = u.lines::jsonb" in STEPS[Booking].sql
    assert "jsonb[]" not in STEPS[Booking].sql


def test_every_lock_is_sorted_and_lets_foreign_keys_pass() -> None:
    other = ("LOCK_KEYS", "LOCK_LENT", "LOCK_JOURNAL")
    locks = [name for name in vars(statements) if name.startswith("LOCK_")]
    of_rows = [getattr(statements, name) for name in locks if name not in other]
    assert len(of_rows) == 18
    for statement in of_rows:
        assert statement.endswith("ORDER BY id FOR NO KEY UPDATE")


def test_every_announced_step_is_one_of_its_machine_and_has_its_event() -> None:
    for (machine, trigger), name in EVENT_OF_STEP.items():
        assert trigger in {row["trigger"] for row in MACHINES[machine].table}
        assert name in EVENTS


def test_look_ups_slow_down_and_never_end() -> None:
    delays = [look_up_delay_seconds(number, LOOK_UP_DELAYS_SECONDS) for number in range(1, 20)]
    assert delays == sorted(delays)
    assert delays[0] == 10.0
    assert delays[-1] == LOOK_UP_DELAYS_SECONDS[-1] == 3600.0
