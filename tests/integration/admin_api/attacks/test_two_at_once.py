"""Two people of an office who press at the same moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import orjson

from admin_api.actions.action import Done
from admin_api.desk import Services
from kit.ids import new_id
from tests.integration.admin_api.actions.clerk import Clerk
from tests.integration.admin_api.conftest import Office
from web.problems import Problem

Press = Callable[[], Done]


def at_once(*presses: Press) -> list[Done | str]:
    """What was done, or the code of the problem, in the order of the presses."""

    def press(one: Press) -> Done | str:
        try:
            return one()
        except Problem as problem:
            return problem.code

    with ThreadPoolExecutor(len(presses)) as people:
        return list(people.map(press, presses))


def clerks(office: Office, services: Services) -> tuple[Clerk, Clerk]:
    return Clerk(office, services, "manager"), Clerk(office, services, "owner")


def applied(clerk: Clerk, done: list[Done | str]) -> list[str]:
    return sorted(clerk.apply(each.operation).state for each in done if isinstance(each, Done))


def test_of_an_approval_and_a_rejection_at_once_one_counts(own_office: Office, services: Services) -> None:
    manager, owner = clerks(own_office, services)
    refund_id, paid = new_id(), manager.shop.pay()
    assert manager.shop.tell(manager.shop.request(refund_id, paid, 1_000)) == ["applied"]
    done = at_once(
        lambda: manager.press("approve_refund", refund_id),
        lambda: owner.press("reject_refund", refund_id, reason="Нет"),
    )
    assert applied(manager, done) == ["applied", "refused"]
    assert manager.shop.state("refund", refund_id) in ("sent", "rejected")


def test_all_of_a_payment_is_asked_back_once_when_two_ask_at_once(
    own_office: Office, services: Services
) -> None:
    manager, owner = clerks(own_office, services)
    paid = manager.shop.pay()
    wish = {"amount_minor": paid.amount_minor, "reason": "Оба"}
    done = at_once(
        lambda: manager.press("request_refund", paid.invoice_id, **wish),
        lambda: owner.press("request_refund", paid.invoice_id, **wish),
    )
    assert applied(manager, done) == ["applied", "refused"]
    reserved = manager.shop.one(
        "SELECT reserved_minor FROM provider_payment WHERE id = :id", id=paid.payment_id
    )
    assert reserved == paid.amount_minor


def test_of_two_prices_from_the_same_day_set_at_once_one_is_set(
    own_office: Office, services: Services
) -> None:
    manager, owner = clerks(own_office, services)
    plan_id = manager.shop.plan_id
    day = (manager.desk.now + timedelta(days=40)).date()
    done = at_once(
        lambda: manager.press("set_price", plan_id, amount_minor=500, effective_from=day),
        lambda: owner.press("set_price", plan_id, amount_minor=600, effective_from=day),
    )
    assert [each for each in done if isinstance(each, str)] == ["price_date_taken"]
    assert manager.shop.one("SELECT count(*) FROM price WHERE plan_id = :id", id=plan_id) == 2


def test_parked_command_has_one_fate_however_many_choose_one(own_office: Office, services: Services) -> None:
    ops, owner = Clerk(own_office, services, "ops"), Clerk(own_office, services, "owner")
    invoice_id = new_id()
    assert owner.shop.tell(owner.shop.issue(invoice_id)) == ["applied"]
    parked_id = ops.park(ops.shop.accept(ops.shop.void(invoice_id)))
    body = parked_body(ops, parked_id)
    done = at_once(
        lambda: ops.press("replay_command", parked_id),
        lambda: owner.press("edit_command", parked_id, body=body | {"reason": "Иначе"}),
        lambda: ops.press("discard_command", parked_id, reason="Раз"),
        lambda: owner.press("discard_command", parked_id, reason="Два"),
    )
    assert [each for each in done if isinstance(each, str)] == ["not_parked"] * 3


def parked_body(clerk: Clerk, command_id: UUID) -> dict[str, object]:
    body = clerk.shop.one("SELECT body FROM command_journal WHERE command_id = :id", id=command_id)
    return dict(orjson.loads(bytes(body)))
