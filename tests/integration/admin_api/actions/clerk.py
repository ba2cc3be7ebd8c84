"""A staff member who presses buttons: actions performed and foreseen, their commands really applied."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from admin_api.actions.action import Done, Effect, request_of
from admin_api.actions.registry import ACTIONS, foresee, open_actions, perform
from admin_api.desk import Desk, Person, Services
from bus.messages import decode_command
from kit.ids import new_id, sha256
from state_updater.apply import Answer, Received
from tests.integration.admin_api.conftest import Office
from tests.integration.state_updater.shops import Shop, said


@dataclass
class Clerk:
    """One person of an office, with a role."""

    office: Office
    services: Services
    role: str

    @property
    def shop(self) -> Shop:
        return self.office.shop

    @property
    def desk(self) -> Desk:
        person = Person(
            id=self.office.staff[self.role],
            studio_id=self.shop.studio_id,
            session_id=new_id(),
            email=self.office.email_of(self.role),
            name="Vera",
            role=self.role,  # type: ignore[arg-type]
            locale="en",
        )
        return Desk(self.services, person, "test", "127.0.0.1")

    def press(
        self, name: str, subject_id: UUID | None = None, /, *, key: str | None = None, **fields: Any
    ) -> Done:
        """Performs an action once; without `key` the form is a fresh one."""
        action, desk = ACTIONS[name], self.desk
        body = action.body.model_validate(fields)
        sent = request_of(desk, action, subject_id, body, key or new_id().hex)
        return perform(desk, action, sent, subject_id, body)

    def foresee(self, name: str, subject_id: UUID | None = None, /, **fields: Any) -> Effect:
        action = ACTIONS[name]
        return foresee(self.desk, action, subject_id, action.body.model_validate(fields))

    def codes(self, name: str, subject_id: UUID | None = None, /, **fields: Any) -> list[str]:
        """The lines of what an action would do, or the code of its refusal."""
        effect = self.foresee(name, subject_id, **fields)
        return [line.code for line in effect.lines] or [str((effect.refusal or {})["code"])]

    def tell(self, name: str, subject_id: UUID | None = None, /, **fields: Any) -> str:
        """Presses, applies, and says what became of the command."""
        return said(self.apply(self.press(name, subject_id, **fields).operation))

    def open(self, subject: str, subject_id: UUID) -> set[str]:
        desk = self.desk
        with desk.transaction() as connection:
            return {action.name for action in open_actions(desk, connection, subject, subject_id)}

    # -------------------------------------------------------------- the updater's side

    def apply(self, command_id: UUID | None) -> Answer:
        """As the consumer does with what the journal has."""
        ((kind, version, body),) = self.shop.rows(
            "SELECT kind, schema_version, body FROM command_journal WHERE command_id = :id", id=command_id
        )
        assert command_id is not None
        received = Received(command_id, sha256(body), decode_command(kind, version, body))
        (answer,) = self.shop.apply([received])
        return answer

    def park(self, received: Received) -> UUID:
        """Parks an accepted command as the consumer does with one that fails for itself."""
        self.shop.rows(
            "UPDATE command_journal SET state = 'parked', answered_at = now(),"
            ' problem = CAST(\'{"code": "too_many_tries"}\' AS jsonb), tries = 5 WHERE command_id = :id',
            id=received.command_id,
        )
        return received.command_id

    # -------------------------------------------------------------- looking

    def audits(self, subject_id: UUID | None) -> list[str]:
        found = self.shop.rows(
            "SELECT action FROM audit WHERE subject_id = :id ORDER BY occurred_at", id=subject_id
        )
        return [str(action) for (action,) in found]

    def journal(self, command_id: UUID | None) -> tuple[str, dict[str, Any] | None]:
        ((state, problem),) = self.shop.rows(
            "SELECT state, problem FROM command_journal WHERE command_id = :id", id=command_id
        )
        return state, problem


def activate(shop: Shop, ends_at: datetime) -> UUID:
    """A subscription that is active, its period ending at `ends_at`."""
    subscription_id = shop.pay().subscription_id
    assert subscription_id is not None
    shop.rows(
        "UPDATE subscription SET current_period_start = now() - interval '1 year',"
        " current_period_end = :ends_at WHERE id = :id",
        id=subscription_id,
        ends_at=ends_at,
    )
    return subscription_id
