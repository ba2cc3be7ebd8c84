"""A preview is what applying then does, seen under the admin's role, and it leaves nothing behind."""

from collections.abc import Callable, Iterator
from datetime import datetime
from uuid import UUID

import pytest
from sqlalchemy import Engine, text

from bus.messages import Command, RecordPaymentOutcome
from kit.ids import new_id
from state_updater.preview import Preview, PreviewStep, Refusal, preview
from storage.database import create_role_engine, tenant
from tests.integration.state_updater.shops import PRICE_MINOR, Shop

# What a transaction that only reads holds: its own number and weak locks on what it read.
_HARMLESS = {"AccessShareLock", "ExclusiveLock"}
_LOCKS = text("SELECT DISTINCT mode FROM pg_locks WHERE pid = pg_backend_pid()")
_ADVISORY = text("SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'")
_WRITING = text("SELECT pg_current_xact_id_if_assigned() IS NOT NULL")


@pytest.fixture
def admin(house: str) -> Iterator[Engine]:
    engine = create_role_engine(house, "billbus_admin", "test")
    yield engine
    engine.dispose()


def _preview(admin: Engine, shop: Shop, command: Command) -> Preview:
    """As the admin asks for it; fails if anything was locked or written."""
    with tenant(admin, shop.studio_id) as connection:
        seen = preview(connection, command)
        assert set(connection.scalars(_LOCKS)) <= _HARMLESS
        assert connection.scalar(_ADVISORY) == 0
        assert connection.scalar(_WRITING) is False
    return seen


def _done(shop: Shop, command_id: UUID) -> Preview:
    """What a command that was applied has left, in the words of a preview."""
    steps = shop.rows(
        "SELECT machine, aggregate_id, trigger, from_state, to_state FROM state_event WHERE command_id = :id",
        id=command_id,
    )
    postings = shop.rows(
        "SELECT debit, credit, amount_minor, currency FROM invariant.posting WHERE causation_id = :id",
        id=command_id,
    )
    left = shop.rows("SELECT channel, kind FROM outbox WHERE causation_id = :id", id=command_id)
    return Preview(
        steps=tuple(PreviewStep(*step) for step in steps),
        postings=tuple(postings),  # type: ignore[arg-type]  # plain tuples are equal to named ones
        events=tuple(kind for channel, kind in left if channel == "event"),
        tasks=tuple(kind for channel, kind in left if channel == "task"),
        result=shop.one("SELECT result FROM command_journal WHERE command_id = :id", id=command_id),
    )


def _sorted(seen: Preview) -> list[object]:
    """Rows of one statement come back in no order."""
    return [
        sorted(map(str, seen.steps)),
        sorted(map(tuple, seen.postings)),
        sorted(seen.events),
        sorted(seen.tasks),
        seen.result,
    ]


def _issue(shop: Shop) -> Command:
    return shop.issue(new_id(), 700, 300)


def _void(shop: Shop) -> Command:
    subscription_id, invoice_id, _ = shop.offer()
    return shop.void(invoice_id, subscription_id)


def _cancel(shop: Shop) -> Command:
    return shop.cancel(*shop.subscribe())


def _change(shop: Shop) -> Command:
    return shop.change(UUID(str(shop.pay().subscription_id)), shop.add_price())


def _active(shop: Shop) -> tuple[UUID, datetime]:
    """A subscription and where its period ends."""
    subscription_id = UUID(str(shop.pay().subscription_id))
    return subscription_id, shop.one(
        "SELECT current_period_end FROM subscription WHERE id = :id", id=subscription_id
    )


def _renew(shop: Shop) -> Command:
    subscription_id, ends_at = _active(shop)
    shop.add_price(PRICE_MINOR + 1, ends_at, "month")
    return shop.renew(subscription_id, ends_at)


def _let_end(shop: Shop) -> Command:
    subscription_id, ends_at = _active(shop)
    assert shop.tell(shop.renew(subscription_id, ends_at)) == ["applied"]
    return shop.cancel(subscription_id, None, at_period_end=True)


def _subscribe(shop: Shop) -> Command:
    return shop.create(new_id(), new_id())


def _pay(shop: Shop) -> Command:
    subscription_id, invoice_id, attempt_id = shop.offer()
    return shop.paid(attempt_id, invoice_id, subscription_id)


def _dollars(shop: Shop) -> Command:
    subscription_id, invoice_id, attempt_id = shop.offer()
    return shop.paid(attempt_id, invoice_id, subscription_id, currency="USD")


def _cabinet_refund(shop: Shop) -> Command:
    return shop.refunded(new_id(), shop.pay(), 9_000)


def _look_up(shop: Shop) -> Command:
    return shop.retry(shop.offer()[2])


def _approve(shop: Shop) -> Command:
    paid, refund_id = shop.pay(), new_id()
    assert shop.tell(shop.request(refund_id, paid, 5_000)) == ["applied"]
    return shop.approve(refund_id, paid)


APPLIED = [
    _issue, _void, _cancel, _change, _renew, _let_end, _subscribe, _pay, _dollars, _cabinet_refund, _look_up,
    _approve,
]  # fmt: skip


@pytest.mark.parametrize("command_of", APPLIED)
def test_what_a_preview_shows_is_what_applying_does(
    shop: Shop, admin: Engine, command_of: Callable[[Shop], Command]
) -> None:
    command = command_of(shop)
    seen = _preview(admin, shop, command)
    assert seen.refusal is None
    received = shop.accept(command)
    shop.apply([received])
    assert _sorted(seen) == _sorted(_done(shop, received.command_id))


def test_a_preview_says_what_a_void_moves(shop: Shop, admin: Engine) -> None:
    subscription_id, invoice_id, attempt_id = shop.offer()
    seen = _preview(admin, shop, shop.void(invoice_id, subscription_id))
    assert seen == Preview(
        steps=(
            PreviewStep("payment", attempt_id, "cancel", "requires_action", "canceled"),
            PreviewStep("invoice", invoice_id, "void", "open", "void"),
            PreviewStep("subscription", subscription_id, "cancel", "incomplete", "canceled"),
        ),
        postings=(("sales", "customer_receivable", PRICE_MINOR, "RUB"),),  # type: ignore[arg-type]
        events=("invoice.voided", "subscription.canceled"),
        result={"invoice_id": str(invoice_id)},
    )


def _twice_the_sum(shop: Shop) -> Command:
    return shop.request(new_id(), shop.pay(), 2 * PRICE_MINOR)


def _cancel_in_flight(shop: Shop) -> Command:
    subscription_id, invoice_id, _ = shop.offer("link")
    return shop.cancel(subscription_id, invoice_id)


def _void_alone(shop: Shop) -> Command:
    return shop.void(shop.subscribe()[1], None)


def _void_paid(shop: Shop) -> Command:
    paid: RecordPaymentOutcome = shop.pay()
    return shop.void(UUID(str(paid.invoice_id)), paid.subscription_id)


def _same_price(shop: Shop) -> Command:
    return shop.change(UUID(str(shop.pay().subscription_id)), shop.price_id)


def _nobody(shop: Shop) -> Command:
    return shop.issue(new_id(), customer_id=new_id())


REFUSED = [
    (_twice_the_sum, "exceeds_refundable"),
    (_cancel_in_flight, "payment_in_progress"),
    (_void_alone, "ids_disagree"),
    (_void_paid, "transition_refused"),
    (_same_price, "price_unchanged"),
    (_nobody, "not_found"),
]


@pytest.mark.parametrize(("command_of", "code"), REFUSED)
def test_a_preview_refuses_in_the_words_of_the_updater(
    shop: Shop, admin: Engine, command_of: Callable[[Shop], Command], code: str
) -> None:
    command = command_of(shop)
    refusal = _preview(admin, shop, command).refusal
    assert refusal is not None
    (answer,) = shop.send(command)
    assert {"code": refusal.code, **refusal.facts} == answer.problem
    assert refusal.code == code


def test_a_preview_waits_for_nobody(shop: Shop, admin: Engine) -> None:
    """While the updater holds everything that the command names."""
    subscription_id, invoice_id, _ = shop.offer()
    with shop.owner.connect() as connection, connection.begin():
        connection.exec_driver_sql("SELECT FROM invoice FOR UPDATE")
        connection.exec_driver_sql("SELECT FROM subscription FOR UPDATE")
        seen = _preview(admin, shop, shop.void(invoice_id, subscription_id))
        connection.rollback()
    assert seen.refusal is None


def test_a_preview_sees_no_other_studio(shop: Shop, other_shop: Shop, admin: Engine) -> None:
    subscription_id, invoice_id = other_shop.subscribe()
    theirs = other_shop.void(invoice_id, subscription_id)
    seen = _preview(admin, shop, theirs)
    assert seen == Preview(refusal=Refusal("not_found", {"what": "studio", "id": str(other_shop.studio_id)}))
    ours = theirs.model_copy(update={"studio_id": shop.studio_id})
    refusal = _preview(admin, shop, ours).refusal
    assert refusal == Refusal("not_found", {"what": "invoice", "id": str(invoice_id)})
