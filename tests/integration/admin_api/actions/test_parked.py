"""Parked commands: sent again, sent otherwise, given up; while parked, and by one person only."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import orjson
import pytest

from kit.ids import new_id
from tests.integration.admin_api.actions.clerk import Clerk
from web.problems import Problem


def park_void(clerk: Clerk) -> tuple[UUID, UUID]:
    """An invoice outside any subscription, and a parked command that voids it."""
    invoice_id = new_id()
    assert clerk.shop.tell(clerk.shop.issue(invoice_id)) == ["applied"]
    return invoice_id, clerk.park(clerk.shop.accept(clerk.shop.void(invoice_id)))


def body_of(clerk: Clerk, command_id: UUID) -> dict[str, Any]:
    body = clerk.shop.one("SELECT body FROM command_journal WHERE command_id = :id", id=command_id)
    return dict(orjson.loads(bytes(body)))


def test_replayed_command_is_foreseen_and_applied_under_its_own_id(owner: Clerk) -> None:
    invoice_id, command_id = park_void(owner)
    assert owner.open("parked", command_id) == {"replay_command", "edit_command", "discard_command"}
    assert "step.invoice.void" in owner.codes("replay_command", command_id)
    assert owner.shop.state("invoice", invoice_id) == "open"
    done = owner.press("replay_command", command_id, key="once")
    assert done == owner.press("replay_command", command_id, key="once")
    assert done.operation == command_id
    assert owner.open("parked", command_id) == set()
    assert owner.apply(command_id).state == "applied"
    assert owner.shop.state("invoice", invoice_id) == "void"
    assert owner.audits(command_id) == ["replay_command"]


def test_edited_command_is_another_one_that_names_its_cause(owner: Clerk) -> None:
    invoice_id, command_id = park_void(owner)
    body = body_of(owner, command_id) | {"reason": "Ошибка в сумме"}
    assert "step.invoice.void" in owner.codes("edit_command", command_id, body=body)
    done = owner.press("edit_command", command_id, key="once", body=body)
    assert done == owner.press("edit_command", command_id, key="once", body=body)
    assert done.operation not in (None, command_id)
    assert owner.journal(command_id) == ("refused", {"code": "replaced", "by": str(done.operation)})
    assert owner.shop.rows(
        "SELECT causation_id, principal FROM command_journal WHERE command_id = :id", id=done.operation
    ) == [(command_id, owner.desk.principal)]
    assert owner.apply(done.operation).state == "applied"
    assert owner.shop.rows("SELECT before, after FROM audit WHERE subject_id = :id", id=command_id) == [
        ({"reason": "a mistake"}, {"reason": "Ошибка в сумме"})
    ]
    assert owner.shop.state("invoice", invoice_id) == "void"


def test_discarded_command_is_refused_with_its_reason_and_never_applied(owner: Clerk) -> None:
    invoice_id, command_id = park_void(owner)
    assert owner.codes("discard_command", command_id, reason="Не нужно") == ["command.discarded"]
    owner.press("discard_command", command_id, reason="Не нужно")
    assert owner.journal(command_id) == ("refused", {"code": "discarded", "reason": "Не нужно"})
    for name, fields in (("replay_command", {}), ("discard_command", {"reason": "Ещё раз"})):
        with pytest.raises(Problem) as late:
            owner.press(name, command_id, **fields)
        assert (late.value.status, late.value.code) == (409, "not_parked")
    assert owner.shop.state("invoice", invoice_id) == "open"


def test_of_two_people_at_once_one_wins(owner: Clerk) -> None:
    _, command_id = park_void(owner)
    body = body_of(owner, command_id) | {"reason": "Иначе"}

    def press(wish: tuple[str, dict[str, object]]) -> str:
        try:
            owner.press(wish[0], command_id, **wish[1])
        except Problem as problem:
            return problem.code
        return "done"

    wishes: list[tuple[str, dict[str, object]]] = [
        ("replay_command", {}),
        ("discard_command", {"reason": "Не нужно"}),
        ("edit_command", {"body": body}),
    ]
    with ThreadPoolExecutor(3) as pool:
        assert sorted(pool.map(press, wishes)) == ["done", "not_parked", "not_parked"]
    assert len(owner.audits(command_id)) == 1


def test_command_of_another_studio_is_neither_seen_nor_touched(owner: Clerk, stranger: Clerk) -> None:
    _, command_id = park_void(owner)
    assert stranger.open("parked", command_id) == set()
    wishes: list[tuple[str, dict[str, object]]] = [
        ("replay_command", {}),
        ("discard_command", {"reason": "Чужое"}),
        ("edit_command", {"body": body_of(owner, command_id)}),
    ]
    for name, fields in wishes:
        for attempt in (stranger.press, stranger.foresee):
            with pytest.raises(Problem) as absent:
                attempt(name, command_id, **fields)
            assert absent.value.status == 404
    assert owner.journal(command_id)[0] == "parked"


def test_edit_cannot_reach_into_another_studio_or_say_what_no_command_says(
    owner: Clerk, stranger: Clerk
) -> None:
    _, command_id = park_void(owner)
    body = body_of(owner, command_id)
    for wrong in ({"studio_id": str(stranger.shop.studio_id)}, {"state": "paid"}, {"invoice_id": "none"}):
        for attempt in (owner.press, owner.foresee):
            with pytest.raises(Problem) as refused:
                attempt("edit_command", command_id, body=body | wrong)
            assert (refused.value.status, refused.value.code) == (422, "invalid_request")
    foreign = body | {"customer_id": str(stranger.shop.customer_id)}
    assert owner.codes("edit_command", command_id, body=foreign) == ["not_found"]
    assert owner.journal(command_id)[0] == "parked"


def test_what_a_provider_said_about_money_is_not_edited(owner: Clerk) -> None:
    shop = owner.shop
    subscription_id, invoice_id, attempt_id = shop.offer()
    told = shop.paid(attempt_id, invoice_id, subscription_id)
    command_id = owner.park(shop.accept(told))
    assert owner.open("parked", command_id) == {"replay_command", "discard_command"}
    with pytest.raises(Problem) as refused:
        owner.press("edit_command", command_id, body=body_of(owner, command_id) | {"amount_minor": 1})
    assert refused.value.code == "evidence_is_not_edited"
    owner.press("replay_command", command_id)
    assert owner.apply(command_id).state == "applied"
    assert shop.state("invoice", invoice_id) == "paid"


def test_command_that_cannot_be_read_is_not_replayed_blindly(owner: Clerk) -> None:
    _, command_id = park_void(owner)
    owner.shop.rows("UPDATE command_journal SET body = NULL WHERE command_id = :id", id=command_id)
    assert owner.open("parked", command_id) == {"discard_command"}
    for attempt in (owner.press, owner.foresee):
        with pytest.raises(Problem) as gone:
            attempt("replay_command", command_id)
        assert gone.value.code == "body_is_gone"
