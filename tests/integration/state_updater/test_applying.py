"""The protocol of a group: once, all or nothing, under locks, and never a message that was not accepted."""

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from bus.messages import decode_command, encode
from kit.errors import InvalidMessage, InvariantViolated, Refused
from kit.ids import new_id, sha256
from state_updater import apply
from state_updater.apply import Received, apply_group
from state_updater.handlers import HANDLERS
from state_updater.loading import lock_and_load
from state_updater.work import Work
from tests.integration.state_updater.shops import Shop

STEP_SECONDS = 10.0


def _journal(shop: Shop, received: Received) -> tuple[Any, ...]:
    (row,) = shop.rows(
        "SELECT state, result, problem FROM command_journal WHERE command_id = :id", id=received.command_id
    )
    return row


def test_a_redelivered_command_changes_nothing(shop: Shop) -> None:
    received = shop.accept(shop.issue(new_id()))
    shop.apply([received])
    before = shop.rows("SELECT count(*) FROM state_event WHERE studio_id = :studio")
    again = apply_group(shop.updater, [received, received])
    assert (again.answers, again.strangers) == ([], [])
    assert shop.rows("SELECT count(*) FROM state_event WHERE studio_id = :studio") == before


def test_the_same_delivery_twice_in_one_group_is_applied_once(shop: Shop) -> None:
    received = shop.accept(shop.issue(new_id()))
    assert len(apply_group(shop.updater, [received, received]).answers) == 1
    assert _journal(shop, received)[0] == "applied"


def test_a_refusal_is_a_result_and_stays_one(shop: Shop) -> None:
    received = shop.accept(shop.start(new_id(), new_id()))
    shop.apply([received])
    state, result, problem = _journal(shop, received)
    assert (state, result, problem["code"]) == ("refused", None, "not_found")
    assert apply_group(shop.updater, [received]).answers == []


def test_a_message_without_a_journal_row_is_a_stranger_and_the_rest_is_applied(shop: Shop) -> None:
    good = shop.accept(shop.issue(new_id()))
    command = shop.issue(new_id())
    forged = Received(new_id(), sha256(encode(command)), command)
    applied = apply_group(shop.updater, [forged, good])
    assert applied.strangers == [forged]
    assert [answer.state for answer in applied.answers] == ["applied"]


def test_a_message_with_another_body_is_a_stranger_and_leaves_the_accepted_command_alone(shop: Shop) -> None:
    received = shop.accept(shop.issue(new_id(), 100))
    dearer = shop.issue(new_id(), 900)
    forged = Received(received.command_id, sha256(encode(dearer)), dearer)
    assert apply_group(shop.updater, [forged]).strangers == [forged]
    assert _journal(shop, received)[0] == "accepted"
    assert apply_group(shop.updater, [forged, received]).strangers == [forged]
    assert _journal(shop, received)[0] == "applied"
    assert shop.rows("SELECT total_minor FROM invoice WHERE studio_id = :studio") == [(100,)]


def test_the_accepted_body_under_another_name_is_a_stranger(shop: Shop) -> None:
    """What says ExpireInvoice would do for CancelSubscription: only the name tells them apart."""
    subscription_id, invoice_id = shop.subscribe()
    received = shop.accept(shop.expire(invoice_id, subscription_id))
    assert not isinstance(received.command, InvalidMessage)
    renamed = decode_command("CancelSubscription", 1, encode(received.command))
    forged = replace(received, command=renamed)
    assert apply_group(shop.updater, [forged]).strangers == [forged]
    assert _journal(shop, received)[0] == "accepted"
    shop.apply([received])


def test_a_mangled_message_of_an_accepted_command_is_a_stranger(shop: Shop) -> None:
    received = shop.accept(shop.issue(new_id()))
    error = InvalidMessage("unknown_message", kind="", schema_version=0)
    forged = replace(received, command=error)
    assert apply_group(shop.updater, [forged]).strangers == [forged]
    shop.apply([received])


def test_an_accepted_command_that_nobody_can_read_is_parked_and_the_rest_applied(shop: Shop) -> None:
    """A newer release accepted it, and this one is back."""
    received, good = shop.accept(shop.issue(new_id())), shop.accept(shop.issue(new_id()))
    shop.rows("UPDATE command_journal SET schema_version = 2 WHERE command_id = :id", id=received.command_id)
    error = InvalidMessage("unknown_message", kind="IssueInvoice", schema_version=2)
    newer = replace(received, command=error)
    applied = apply_group(shop.updater, [newer, good, newer])
    assert applied.strangers == []
    assert {answer.state for answer in applied.answers} == {"parked", "applied"}
    state, _, problem = _journal(shop, received)
    assert (state, problem["code"], problem["schema_version"]) == ("parked", "unknown_message", 2)


def test_a_journal_row_of_another_studio_than_its_body_is_parked(shop: Shop, other_shop: Shop) -> None:
    received = shop.accept(shop.issue(new_id()))
    shop.rows(
        "UPDATE command_journal SET studio_id = :other WHERE command_id = :id",
        other=other_shop.studio_id,
        id=received.command_id,
    )
    (answer,) = shop.apply([received])
    assert answer.problem == {"code": "studio_differs_from_journal"}


def test_a_refusal_after_a_change_undoes_the_whole_group(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def half_done(command: object, work: Work) -> dict[str, Any]:
        work.want_task("nothing", attempt_id=new_id())
        raise Refused("changed_my_mind")

    good = shop.accept(shop.issue(new_id()))
    bad = shop.accept(shop.create(new_id(), new_id()))
    monkeypatch.setitem(HANDLERS, "CreateSubscription", half_done)
    with pytest.raises(InvariantViolated, match="refused_after_change"):
        shop.apply([good, bad])
    assert _journal(shop, good)[0] == _journal(shop, bad)[0] == "accepted"
    shop.apply([good])
    monkeypatch.undo()
    shop.apply([bad])


def test_creating_what_is_there_is_our_bug(shop: Shop) -> None:
    invoice_id = new_id()
    shop.tell(shop.issue(invoice_id))
    again = shop.accept(shop.issue(invoice_id))
    with pytest.raises(InvariantViolated, match="created_twice"):
        shop.apply([again])
    shop.rows("DELETE FROM command_journal WHERE command_id = :id", id=again.command_id)


def test_a_group_of_many_customers_takes_no_more_statements_than_one(shop: Shop) -> None:
    customers = [shop.add_customer() for _ in range(5)]
    one = [shop.accept(shop.create(new_id(), new_id()))]
    many = [shop.accept(shop.create(new_id(), new_id(), customer_id=each)) for each in customers]
    assert _statements(shop, one) == _statements(shop, many)


def _statements(shop: Shop, group: list[Received]) -> int:
    """How many statements of one group reach the server; each has its name in pg_stat_activity only once, so
    they are counted at the driver."""
    count = 0
    execute = psycopg.Cursor.execute

    def counted(self: Any, *arguments: Any, **options: Any) -> Any:
        nonlocal count
        count += 1
        return execute(self, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.Cursor, "execute", counted)
        shop.apply(group)
    return count


class _Pause:
    """Holds one thread at the crash point after its writes, before its commit."""

    def __init__(self) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()
        self.thread: threading.Thread | None = None

    def __call__(self, name: str) -> None:
        if name == "after_writes" and threading.current_thread() is self.thread:
            self.reached.set()
            assert self.go_on.wait(STEP_SECONDS)


def _race(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, first: Callable[[], object], second: Callable[[], object]
) -> None:
    """`first` has written and not committed when `second` begins; it commits a moment later."""
    pause = _Pause()
    monkeypatch.setattr(apply, "crash_point", pause)
    pause.thread = threading.Thread(target=first)
    pause.thread.start()
    assert pause.reached.wait(STEP_SECONDS)
    other = threading.Thread(target=second)
    other.start()
    other.join(0.5)
    pause.go_on.set()
    pause.thread.join(STEP_SECONDS)
    other.join(STEP_SECONDS)
    assert not other.is_alive()


def test_two_consumers_never_promise_the_same_money_twice(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both hold a refund of more than half: the second waits for the first and sees what it reserved."""
    paid = shop.pay()
    groups = [[shop.accept(shop.request(new_id(), paid, 100_000))] for _ in range(2)]
    twin = Shop(shop.url, studio_id=shop.studio_id)
    _race(shop, monkeypatch, lambda: shop.apply(groups[0]), lambda: twin.apply(groups[1]))
    twin.close()
    assert [_journal(shop, group[0])[0] for group in groups] == ["applied", "refused"]
    assert (
        shop.one("SELECT reserved_minor FROM provider_payment WHERE id = :id", id=paid.payment_id) == 100_000
    )


def test_two_consumers_with_the_same_command_apply_it_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    received = shop.accept(shop.issue(new_id()))
    twin = Shop(shop.url, studio_id=shop.studio_id)
    found: list[list[Any]] = []
    _race(
        shop, monkeypatch, lambda: shop.apply([received]),
        lambda: found.append(apply_group(twin.updater, [received]).answers),
    )  # fmt: skip
    twin.close()
    assert found == [[]]
    assert _journal(shop, received)[0] == "applied"


def test_the_same_money_told_to_two_consumers_at_once_is_recorded_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One message knows the customer and one does not: no row and no customer is common to both."""
    subscription_id, invoice_id, attempt_id = shop.offer()
    known = shop.accept(shop.paid(attempt_id, invoice_id, subscription_id, "twice"))
    nameless = shop.accept(shop.paid(None, None, None, "twice", customer_id=None))
    twin = Shop(shop.url, studio_id=shop.studio_id)
    _race(shop, monkeypatch, lambda: shop.apply([known]), lambda: twin.apply([nameless]))
    twin.close()
    assert [_journal(shop, each)[0] for each in (known, nameless)] == ["applied", "applied"]
    assert shop.one("SELECT count(*) FROM provider_payment WHERE studio_id = :studio") == 1


def test_a_refund_and_its_payment_told_to_two_consumers_at_once_find_each_other(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscription_id, invoice_id, attempt_id = shop.offer()
    paid = shop.paid(attempt_id, invoice_id, subscription_id)
    refund = shop.refunded(new_id(), paid, 9_000, customer_id=None, payment_id=None, invoice_id=None)
    groups = [shop.accept(paid), shop.accept(refund)]
    twin = Shop(shop.url, studio_id=shop.studio_id)
    _race(shop, monkeypatch, lambda: shop.apply(groups[:1]), lambda: twin.apply(groups[1:]))
    twin.close()
    assert shop.state("invoice", invoice_id) == "partially_refunded"


def test_locks_let_the_apis_insert_rows_that_point_here(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """FOR UPDATE would block the foreign-key check of anything that names the locked row."""
    subscription_id, invoice_id, attempt_id = shop.offer()
    void = shop.void(invoice_id, subscription_id)
    group = [shop.accept(void)]
    with shop.owner.connect() as connection, connection.begin():
        connection.exec_driver_sql("SET LOCAL lock_timeout = '1s'")
        rows = lock_and_load(shop.updater, [void], [])
        assert rows.attempts[attempt_id].state == "requires_action"
        connection.exec_driver_sql(
            "INSERT INTO invoice_line VALUES (%s, %s, %s, 2, NULL, 'x', 1, 1, 1)",
            (new_id(), shop.studio_id, invoice_id),
        )
        connection.rollback()
    shop.updater.rollback()
    shop.apply(group)


def test_a_second_live_attempt_cannot_be_written_whoever_writes(shop: Shop) -> None:
    _, _, attempt_id = shop.offer()
    copy = (
        "INSERT INTO payment_attempt (id, studio_id, customer_id, invoice_id, provider_account_id, method,"
        " state, version, head_hash, amount_minor, currency, return_url, created_at, updated_at)"
        " SELECT %s, studio_id, customer_id, invoice_id, provider_account_id, method, 'intent', 1, head_hash,"
        " amount_minor, currency, return_url, created_at, updated_at FROM payment_attempt WHERE id = %s"
    )
    with shop.owner.connect() as connection, pytest.raises(Exception, match="payment_attempt_live"):
        connection.exec_driver_sql(copy, (new_id(), attempt_id))
