"""Is this process alive, is it ready, and what has it counted. For machines; no tenant's facts here."""

import threading
from time import monotonic
from typing import Final, Literal

import structlog
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from sqlalchemy import Engine, text
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError
from starlette.requests import Request

from bus.outlet import Outlet
from models.migrate import head

CACHE_SECONDS: Final = 1.0
REASON_LIMIT: Final = 500

log = structlog.get_logger(__name__)
router = APIRouter(tags=["health"])


class Health(BaseModel):
    """`bus` does not count for `ready`: what is accepted while it is away is sent later."""

    status: Literal["ready", "not_ready"]
    database: Literal["up", "away"]
    migrations: Literal["at_head", "behind", "unknown"]
    bus: Literal["up", "away"]


class Probe:
    """Looks at the database at most once per CACHE_SECONDS, however many ask; tells once why it is away."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._head = head()
        self._lock = threading.Lock()
        self._seen_at = float("-inf")
        self._migrations: Literal["at_head", "behind", "unknown"] | None = None
        self._is_told = False

    def look(self) -> Literal["at_head", "behind", "unknown"] | None:
        """Where the migrations are; None when the database is away."""
        with self._lock:
            if monotonic() - self._seen_at >= CACHE_SECONDS:
                self._migrations = self._ask()
                self._seen_at = monotonic()
            return self._migrations

    def _ask(self) -> Literal["at_head", "behind", "unknown"] | None:
        try:
            with self._engine.begin() as connection:
                found = connection.scalar(text("SELECT version_num FROM alembic_version"))
        except ProgrammingError:
            return "unknown"
        except SQLAlchemyError as error:
            if not self._is_told:
                log.warning(
                    "database cannot be used", reason=str(getattr(error, "orig", error))[:REASON_LIMIT]
                )
            self._is_told = True
            return None
        self._is_told = False
        return "at_head" if found == self._head else "behind"


def _health(request: Request) -> Health:
    probe: Probe = request.app.state.probe
    outlet: Outlet = request.app.state.outlet
    migrations = probe.look()
    return Health(
        status="not_ready" if migrations in (None, "behind") else "ready",
        database="away" if migrations is None else "up",
        migrations=migrations or "unknown",
        bus="away" if outlet.is_away else "up",
    )


@router.get("/healthz/live", operation_id="live", summary="Is the process alive?")
async def live() -> dict[str, str]:
    return {"status": "alive"}


@router.get(
    "/healthz/ready",
    operation_id="ready",
    summary="May requests be sent here?",
    responses={503: {"model": Health, "description": "Not now"}},
)
def ready(request: Request, response: Response) -> Health:
    health = _health(request)
    response.status_code = 200 if health.status == "ready" else 503
    return health


@router.get("/healthz", operation_id="health", summary="How are the parts?")
def health(request: Request) -> Health:
    return _health(request)


@router.get("/metrics", operation_id="metrics", summary="Prometheus metrics", response_class=Response)
def metrics() -> Response:
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
