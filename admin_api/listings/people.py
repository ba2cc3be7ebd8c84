"""Lists of people: customers, staff, and the sign-ins and tokens of staff."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select

from admin_api.desk import Desk
from admin_api.listings.filters import Filter, created_between
from admin_api.listings.listing import Listing, Rows
from admin_api.listings.searching import by_ids_or, containing, holding, of_customers
from admin_api.permissions import ROLES
from admin_api.queries.ids import among
from admin_api.queries.names import Named, staff_names
from admin_api.walls import GuardedSession
from models.tables import Customer, Invitation, Session, StaffMember, Subscription
from web.views import View

OWN_SIGN_INS_LIMIT: Final = 200


class CustomerRow(View):
    id: UUID
    name: str
    email: str
    locale: str
    active_subscriptions: int
    created_at: datetime


class StaffRow(View):
    id: UUID
    name: str
    email: str
    role: str
    locale: str
    created_at: datetime
    deactivated_at: datetime | None


class TokenRow(View):
    """A sign-in of a staff member in a browser, or a token for a program, whose `label` says which."""

    id: UUID
    kind: str
    label: str | None
    staff_member: Named
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


class InvitationRow(View):
    """Open until it is accepted, withdrawn or past `expires_at`."""

    id: UUID
    email: str
    role: str
    created_at: datetime
    expires_at: datetime
    accepted_at: datetime | None
    revoked_at: datetime | None


def _customer_rows(session: GuardedSession, rows: Rows) -> Sequence[CustomerRow]:
    active = (
        select(Subscription.customer_id, func.count())
        .where(among(Subscription.customer_id, (row.id for row in rows)), Subscription.state == "active")
        .group_by(Subscription.customer_id)
    )
    counts = dict(session.execute(active).all())
    return [
        CustomerRow(
            id=row.id,
            name=row.name,
            email=row.email,
            locale=row.locale,
            active_subscriptions=counts.get(row.id, 0),
            created_at=row.created_at,
        )
        for row in rows
    ]


def _staff_rows(_session: GuardedSession, rows: Rows) -> Sequence[StaffRow]:
    return [StaffRow.model_validate(dict(row._mapping)) for row in rows]


def _invitation_rows(_session: GuardedSession, rows: Rows) -> Sequence[InvitationRow]:
    return [InvitationRow.model_validate(dict(row._mapping)) for row in rows]


def _token_rows(session: GuardedSession, rows: Rows) -> Sequence[TokenRow]:
    people = staff_names(session, {row.staff_member_id for row in rows})
    return [
        TokenRow(
            id=row.id,
            kind=row.kind,
            label=row.label,
            staff_member=people[row.staff_member_id],
            created_at=row.created_at,
            expires_at=row.expires_at,
            revoked_at=row.revoked_at,
        )
        for row in rows
    ]


def _tokens(session: GuardedSession, term: str) -> ColumnElement[bool] | None:
    people = session.scalars(
        select(StaffMember.id).where(containing(StaffMember.name, StaffMember.email)(term))
    )
    return or_(containing(Session.label)(term), among(Session.staff_member_id, people))


def own_sign_ins(desk: Desk) -> Sequence[TokenRow]:
    """The person's own sign-ins and tokens that still hold, the newest first."""
    own = (
        select(*TOKENS.fields)
        .where(Session.staff_member_id == desk.person.id)
        .where(Session.revoked_at.is_(None), Session.expires_at > desk.now)
        .order_by(Session.id.desc())
        .limit(OWN_SIGN_INS_LIMIT)
    )
    with desk.session() as session:
        return _token_rows(session, session.execute(own).all())


CUSTOMERS: Final = Listing(
    name="customers",
    model=Customer,
    permission="customers.read",
    view=CustomerRow,
    columns=("name", "email", "active_subscriptions", "created_at"),
    fields=(Customer.id, Customer.name, Customer.email, Customer.locale, Customer.created_at),
    present=_customer_rows,
    sorts={"created_at": Customer.id, "email": Customer.email},
    default_sort="-created_at",
    filters=created_between(Customer.created_at, Customer.id),
    search=by_ids_or((Customer.id,), of_customers(Customer.id)),
)

STAFF: Final = Listing(
    name="staff",
    model=StaffMember,
    permission="staff.read",
    view=StaffRow,
    columns=("name", "email", "role", "created_at", "deactivated_at"),
    fields=(
        StaffMember.id,
        StaffMember.name,
        StaffMember.email,
        StaffMember.role,
        StaffMember.locale,
        StaffMember.created_at,
        StaffMember.deactivated_at,
    ),
    present=_staff_rows,
    sorts={"created_at": StaffMember.id, "email": StaffMember.email},
    default_sort="email",
    filters=(
        Filter("role", StaffMember.role, "choice", ROLES),
        Filter("is_deactivated", StaffMember.deactivated_at, "flag"),
    ),
    search=by_ids_or((StaffMember.id,), holding(StaffMember.name, StaffMember.email)),
)

INVITATIONS: Final = Listing(
    name="invitations",
    model=Invitation,
    permission="staff.read",
    view=InvitationRow,
    columns=("email", "role", "created_at", "expires_at", "accepted_at", "revoked_at"),
    fields=(
        Invitation.id,
        Invitation.email,
        Invitation.role,
        Invitation.created_at,
        Invitation.expires_at,
        Invitation.accepted_at,
        Invitation.revoked_at,
    ),
    present=_invitation_rows,
    sorts={"created_at": Invitation.id},
    default_sort="-created_at",
    filters=(
        Filter("role", Invitation.role, "choice", ROLES),
        Filter("is_accepted", Invitation.accepted_at, "flag"),
        Filter("is_revoked", Invitation.revoked_at, "flag"),
    ),
    search=by_ids_or((Invitation.id,), holding(Invitation.email)),
    is_few=True,
)

TOKENS: Final = Listing(
    name="tokens",
    model=Session,
    permission="staff.read",
    view=TokenRow,
    columns=("label", "kind", "staff_member", "created_at", "expires_at", "revoked_at"),
    fields=(
        Session.id,
        Session.kind,
        Session.label,
        Session.staff_member_id,
        Session.created_at,
        Session.expires_at,
        Session.revoked_at,
    ),
    present=_token_rows,
    sorts={"created_at": Session.id},
    default_sort="-created_at",
    filters=(
        Filter("kind", Session.kind, "choice", ("browser", "token")),
        Filter("staff_member", Session.staff_member_id, "uuid"),
        Filter("is_revoked", Session.revoked_at, "flag"),
    ),
    search=by_ids_or((Session.id, Session.staff_member_id), _tokens),
    # Customers' refresh tokens are in the same table, and a thousand times as many.
    narrow=(Session.staff_member_id.in_(select(StaffMember.id)),),
    is_few=True,
)
