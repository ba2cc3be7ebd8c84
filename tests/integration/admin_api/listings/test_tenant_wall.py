"""Another studio's rows appear in no list, search, filter, count, page, picker or export."""

from uuid import UUID

import pytest
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from admin_api.desk import Desk
from admin_api.listings import LISTINGS, ListQuery, export_csv
from admin_api.queries.lookups import look_up, name_bookings
from admin_api.queries.operations import find_operations, latest_operations
from admin_api.queries.timeline import timeline_of
from admin_api.walls import in_studio
from kit.ids import new_id
from tests.integration.admin_api.listings.conftest import DeskOf, Past
from tests.integration.state_updater.shops import Shop
from web.problems import Problem

IDS = ListQuery(limit=100)


def ids(desk: Desk, name: str, query: ListQuery = IDS) -> set[UUID]:
    with desk.session() as session:
        page = LISTINGS[name].read(session, query)
    assert page.count == len(page.items)
    return {item.id for item in page.items}  # type: ignore[attr-defined]


def owned(shop: Shop, name: str) -> set[UUID]:
    """Ids of a studio's rows as the tables' owner sees them."""
    listing = LISTINGS[name]
    key = listing.key_name
    where = {
        "parked": "AND state = 'parked'",
        "tokens": "AND staff_member_id IS NOT NULL",
        "blackouts": "AND kind = 'blackout' AND released_at IS NULL",
    }.get(name, "")
    table = listing.model.__tablename__
    studio = "id" if table == "studio" else "studio_id"
    return {
        row[0]
        for row in shop.rows(f"SELECT {key} FROM {table} WHERE {studio} = :studio {where}")  # noqa: S608
    }


@pytest.mark.parametrize("name", LISTINGS)
def test_list_has_all_rows_of_its_studio_and_no_others(
    desk_of: DeskOf, past: Past, other_past: Past, name: str
) -> None:
    own, foreign = owned(past.office.shop, name), owned(other_past.office.shop, name)
    assert own
    assert foreign
    assert ids(desk_of(past.office), name) == own
    assert ids(desk_of(other_past.office), name) == foreign


@pytest.mark.parametrize("name", LISTINGS)
def test_thing_of_another_studio_is_found_neither_by_its_page_nor_by_search(
    desk_of: DeskOf, past: Past, other_past: Past, name: str
) -> None:
    detail = LISTINGS[name].detail
    assert detail is not None
    for foreign in owned(other_past.office.shop, name):
        with pytest.raises(Problem) as absent:
            detail(desk_of(past.office), foreign)
        assert absent.value.status == 404
        assert ids(desk_of(past.office), name, ListQuery(search=str(foreign))) == set()


@pytest.mark.parametrize(
    ("name", "parameter"),
    [(name, one.name) for name in LISTINGS for one in LISTINGS[name].filters if one.kind == "uuid"],
)
def test_filter_by_another_studio_s_id_finds_nothing(
    desk_of: DeskOf, past: Past, other_past: Past, name: str, parameter: str
) -> None:
    foreign = other_past.office.shop
    values = [
        foreign.customer_id,
        foreign.plan_id,
        other_past.paid.invoice_id,
        other_past.office.staff["owner"],
    ]
    values += [other_past.paid.subscription_id, other_past.refund_id, other_past.hall_id]
    for value in values:
        assert ids(desk_of(past.office), name, ListQuery(filters={parameter: str(value)})) == set()


def test_name_that_two_studios_know_finds_each_its_own(desk_of: DeskOf, past: Past, other_past: Past) -> None:
    for mine in (past, other_past):
        shop = mine.office.shop
        assert ids(desk_of(mine.office), "customers", ListQuery(search="Zoë Quill")) == {shop.customer_id}
        own = owned(shop, "invoices")
        assert ids(desk_of(mine.office), "invoices", ListQuery(search="Zoë", limit=100)) <= own
        assert ids(desk_of(mine.office), "invoices", ListQuery(search="1")) <= own


def test_cursor_of_another_studio_leads_to_own_rows_only(
    desk_of: DeskOf, past: Past, other_past: Past
) -> None:
    with desk_of(other_past.office).session() as session:
        cursor = LISTINGS["invoices"].read(session, ListQuery(limit=1)).next_cursor
    with desk_of(past.office).session() as session:
        page = LISTINGS["invoices"].read(session, ListQuery(cursor=cursor, limit=100))
    assert {item.id for item in page.items} <= owned(past.office.shop, "invoices")  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", [name for name in LISTINGS if LISTINGS[name].is_exportable])
def test_export_has_own_rows_only(desk_of: DeskOf, past: Past, other_past: Past, name: str) -> None:
    own, foreign = owned(past.office.shop, name), owned(other_past.office.shop, name)
    written = export_csv(desk_of(past.office), LISTINGS[name], ListQuery())
    written_ids = {line.split(",")[0] for line in written.splitlines()}
    assert {str(each) for each in own} <= written_ids
    assert not {str(each) for each in foreign} & written_ids


def test_pickers_offer_own_things_only(desk_of: DeskOf, past: Past, other_past: Past) -> None:
    desk, foreign = desk_of(past.office), other_past.office.shop
    assert [one.id for one in look_up(desk, "customers", "Zoë")] == [past.office.shop.customer_id]
    assert foreign.customer_id not in {one.id for one in look_up(desk, "customers", "")}
    assert look_up(desk, "customers", str(foreign.customer_id)) == []
    assert look_up(desk, "prices", str(foreign.price_id)) == []
    assert look_up(desk, "plans", str(foreign.plan_id)) == []
    assert [one.id for one in look_up(desk, "halls", "")] == [past.hall_id]
    assert look_up(desk, "halls", str(other_past.hall_id)) == []
    assert [one.id for one in look_up(desk, "extras", "")] == [past.extra_id]
    assert [one.id for one in look_up(desk, "bookings", "Zoë")] == [past.booking_id]
    assert look_up(desk, "bookings", str(other_past.booking_id)) == []
    assert name_bookings(desk, [past.booking_id, other_past.booking_id]) == look_up(desk, "bookings", "")


def test_commands_and_timelines_of_another_studio_are_not_there(
    desk_of: DeskOf, past: Past, other_past: Past
) -> None:
    foreign = [other_past.paid.invoice_id, other_past.paid.attempt_id, other_past.refund_id]
    subjects = [each for each in foreign if each]
    with desk_of(past.office).transaction() as connection:
        assert find_operations(connection, [other_past.parked_id]) == {}
        assert latest_operations(connection, subjects) == {}
        assert timeline_of(connection, subjects, command_ids=[other_past.parked_id]) == []
    with desk_of(other_past.office).transaction() as connection:
        assert timeline_of(connection, subjects)


def test_criteria_hold_where_row_level_security_does_not(
    desk_of: DeskOf, past: Past, other_past: Past
) -> None:
    """As the tables' owner, whom no policy binds: the session itself keeps to its studio."""
    sessions = desk_of(past.office).services.sessions
    for name, listing in LISTINGS.items():
        with in_studio(past.office.shop.studio_id), sessions(bind=past.office.shop.owner) as session:
            page = listing.read(session, IDS)
        assert {item.id for item in page.items} == owned(past.office.shop, name)  # type: ignore[attr-defined]


def test_row_level_security_holds_where_the_criteria_do_not(
    desk_of: DeskOf, past: Past, other_past: Past
) -> None:
    """In a plain session with another studio's criteria gone: the policy alone keeps to the transaction's."""
    engine = desk_of(past.office).engine
    with Session(engine) as session:

        @event.listens_for(session, "after_begin")
        def enter(_session: Session, _transaction: object, connection: object) -> None:
            connection.execute(  # type: ignore[attr-defined]
                text("SELECT set_config('app.studio_id', :id, true)"), {"id": str(past.office.shop.studio_id)}
            )

        for name, listing in LISTINGS.items():
            page = listing.read(session, IDS)  # type: ignore[arg-type]
            assert {item.id for item in page.items} == owned(past.office.shop, name)  # type: ignore[attr-defined]


def test_search_outside_of_a_studio_finds_nobody(desk_of: DeskOf, past: Past) -> None:
    """The function runs as the tables' owner, so it must ask for the studio itself."""
    with desk_of(past.office).engine.begin() as connection:
        assert connection.scalars(text("SELECT customers_matching('''zoë'':*', 10)")).all() == []
        connection.execute(text("SELECT set_config('app.studio_id', :id, true)"), {"id": str(new_id())})
        assert connection.scalars(text("SELECT customers_matching('''zoë'':*', 10)")).all() == []
