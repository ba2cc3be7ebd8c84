"""The page of a hall: every version of what it costs, which holds now, its extras, and when it is closed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import or_, select

from admin_api.desk import Desk
from admin_api.listings.bookings import BLACKOUTS, BlackoutRow
from admin_api.listings.details.parts import parts_of
from admin_api.listings.halls import EXTRAS, HALLS, TARIFFS, ExtraRow, HallRow, TariffRow
from admin_api.walls import GuardedSession
from billing.prices import find_in_force
from models.tables import Extra, Occupancy, Tariff
from storage.catalog import get_calendar

VERSIONS_LIMIT: Final = 100


class TariffVersionView(TariffRow):
    """`standing` says whether it holds now."""

    standing: Literal["past", "current", "coming"]


class HallDetail(HallRow):
    """`blackouts`: those that are not over."""

    tariffs: Sequence[TariffVersionView]
    extras: Sequence[ExtraRow]
    blackouts: Sequence[BlackoutRow]


def hall_detail(desk: Desk, hall_id: UUID) -> HallDetail:
    """Raises Problem 404."""
    with desk.session() as session:
        head = HALLS.get(session, hall_id)
        assert isinstance(head, HallRow)
        now = get_calendar(session.connection(), desk.studio_id).now(desk.now)
        lent = or_(Extra.hall_id == hall_id, Extra.hall_id.is_(None))
        coming = (Occupancy.hall_id == hall_id, Occupancy.ends_at > now)
        return HallDetail(
            **dict(head),
            tariffs=_versions(session, hall_id, now),
            extras=parts_of(desk, session, EXTRAS, ExtraRow, lent, Extra.is_active.is_(True)),
            blackouts=parts_of(desk, session, BLACKOUTS, BlackoutRow, *coming),
        )


def _versions(session: GuardedSession, hall_id: UUID, now: datetime) -> list[TariffVersionView]:
    """The newest first."""
    found = (
        select(*TARIFFS.fields)
        .where(Tariff.hall_id == hall_id)
        .order_by(Tariff.version.desc())
        .limit(VERSIONS_LIMIT)
    )
    rows = TARIFFS.present(session, session.execute(found).all())
    versions = [row for row in rows if isinstance(row, TariffRow)]
    current = find_in_force(versions, now)
    return [TariffVersionView(**dict(one), standing=_standing(one, current, now)) for one in versions]


def _standing(
    version: TariffRow, current: TariffRow | None, now: datetime
) -> Literal["past", "current", "coming"]:
    if version is current:
        return "current"
    return "coming" if version.effective_from > now else "past"
