"""Doing by a detour what one's role may not do, and being told that something was done that was not."""

import pytest

from admin_api.actions.parked import EVIDENCE, GIVING
from admin_api.actions.registry import ACTIONS
from admin_api.desk import Services
from bus.messages import COMMANDS
from kit.ids import new_id
from storage.sealing import unseal
from tests.integration.admin_api.actions.clerk import Clerk
from tests.integration.admin_api.attacks.test_two_at_once import parked_body
from tests.integration.admin_api.conftest import Office
from tests.integration.state_updater.shops import SEALING_KEY
from web.problems import Problem


def test_ops_who_may_not_approve_cannot_make_a_parked_approval_one_of_another_refund(
    own_office: Office, services: Services
) -> None:
    ops = Clerk(own_office, services, "ops")
    shop, (small, large) = ops.shop, (new_id(), new_id())
    first, second = shop.pay(), shop.pay()
    assert shop.tell(shop.request(small, first, 100), shop.request(large, second, 100_000)) == ["applied"] * 2
    parked_id = ops.park(shop.accept(shop.approve(small, first)))
    named = {"refund_id": large, "payment_id": second.payment_id, "invoice_id": second.invoice_id}
    body = parked_body(ops, parked_id) | {name: str(value) for name, value in named.items()}
    for door in (ops.foresee, ops.press):
        with pytest.raises(Problem) as refused:
            door("edit_command", parked_id, body=body)
        assert (refused.value.status, refused.value.code) == (403, "forbidden")
    assert ops.journal(parked_id)[0] == "parked"


def test_every_command_that_may_be_edited_asks_for_the_permission_to_give_it() -> None:
    assert GIVING.keys() == COMMANDS.keys() - EVIDENCE
    given = {action.permission for action in ACTIONS.values() if action.is_command}
    assert set(GIVING.values()) <= given


def test_a_form_sent_again_with_another_secret_is_not_taken_for_the_first(
    own_office: Office, services: Services
) -> None:
    owner = Clerk(own_office, services, "owner")
    account_id = owner.shop.account_id
    owner.press("change_provider_account", account_id, key="once", secret="first")
    owner.press("change_provider_account", account_id, key="once", secret="first")
    with pytest.raises(Problem) as refused:
        owner.press("change_provider_account", account_id, key="once", secret="second")
    assert refused.value.code == "idempotency_key_reused"
    sealed = owner.shop.one("SELECT sealed_secret FROM provider_account WHERE id = :id", id=account_id)
    assert unseal(SEALING_KEY, bytes(sealed)) == "first"
