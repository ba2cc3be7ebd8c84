"""The admin's own database sessions: one studio at a time, and no state is ever written.

Every page and every list reads through these. Three walls stand here, each on its own: the role of the engine
(`billbus_admin` has no grant on a machine's table), row-level security by the studio of the transaction, and
the criteria and the guard below, which hold even if a view forgets to filter.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction, sessionmaker, with_loader_criteria

from kit.errors import InvariantViolated
from models.tables import Base, Studio

# Whose rows this request may see; set where somebody is found to be signed in, unset otherwise.
CURRENT_STUDIO: Final[ContextVar[UUID | None]] = ContextVar("current_studio", default=None)

_ENTER_STUDIO = text("SELECT set_config('app.studio_id', :studio_id, true)")
_TENANT_CLASSES: Final = tuple(
    mapper.class_ for mapper in Base.registry.mappers if "studio_id" in mapper.columns
)


class GuardedSession(Session):
    """Reads one studio and writes nothing; direct writes go through `Desk.transaction`."""


class NoStudio(InvariantViolated):
    """A session was used before anybody was found to be signed in."""

    code = "no_studio"


class StateWritten(InvariantViolated):
    """Something tried to change a row through the admin's session."""

    code = "state_written"


def guarded_sessions(engine: Engine) -> sessionmaker[GuardedSession]:
    """A maker of sessions behind the walls. `engine` runs as billbus_admin."""
    return sessionmaker(engine, class_=GuardedSession, autoflush=False, expire_on_commit=False)


@contextmanager
def in_studio(studio_id: UUID) -> Iterator[None]:
    """Within, sessions and their transactions see `studio_id` alone."""
    token = CURRENT_STUDIO.set(studio_id)
    try:
        yield
    finally:
        CURRENT_STUDIO.reset(token)


def current_studio() -> UUID:
    """Raises NoStudio."""
    studio_id = CURRENT_STUDIO.get()
    if studio_id is None:
        raise NoStudio
    return studio_id


@event.listens_for(GuardedSession, "after_begin")
def _enter_studio(_session: Session, _transaction: SessionTransaction, connection: Connection) -> None:
    connection.execute(_ENTER_STUDIO, {"studio_id": str(current_studio())})


@event.listens_for(GuardedSession, "do_orm_execute")
def _keep_to_studio(execution: ORMExecuteState) -> None:
    studio_id = current_studio()
    if not execution.is_select:
        raise StateWritten
    for tenant_class in _TENANT_CLASSES:
        execution.statement = execution.statement.options(
            with_loader_criteria(tenant_class, tenant_class.studio_id == studio_id, include_aliases=True)
        )
    execution.statement = execution.statement.options(
        with_loader_criteria(Studio, Studio.id == studio_id, include_aliases=True)
    )


@event.listens_for(GuardedSession, "before_flush")
def _refuse_to_flush(session: Session, _context: object, _instances: object) -> None:
    if session.new or session.dirty or session.deleted:
        raise StateWritten
