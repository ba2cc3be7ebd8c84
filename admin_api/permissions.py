"""Who may do what: the one table that the JSON API and the pages ask, by role.

Every route and every page names one of these permissions; a test compares the table with all of them. The
platform's own pages are for `platform_admin` alone, who sees nothing of a studio's customers by name.
"""

from typing import Final, Literal

Role = Literal["owner", "manager", "support", "ops", "platform_admin"]

ROLES: Final[tuple[Role, ...]] = ("owner", "manager", "support", "ops", "platform_admin")
# Who may be invited by the studio itself; a platform's admin is named by another one, or at the command line.
STUDIO_ROLES: Final[tuple[Role, ...]] = ("owner", "manager", "support", "ops")

_EVERYBODY: Final[frozenset[Role]] = frozenset(ROLES)
_STUDIO: Final[frozenset[Role]] = frozenset(STUDIO_ROLES)
_MANAGING: Final[frozenset[Role]] = frozenset({"owner", "manager"})
_DESK: Final[frozenset[Role]] = frozenset({"owner", "manager", "support"})
_OPERATING: Final[frozenset[Role]] = frozenset({"owner", "ops"})
_OWNING: Final[frozenset[Role]] = frozenset({"owner"})
_PLATFORM: Final[frozenset[Role]] = frozenset({"platform_admin"})

PERMISSIONS: Final[dict[str, frozenset[Role]]] = {
    # One's own sign-ins, tokens and language.
    "self": _EVERYBODY,
    "dashboard.read": _STUDIO,
    "catalog.read": _STUDIO,
    "catalog.write": _MANAGING,
    "bookings.read": _DESK,
    # By the terms; what is beyond them, and closing a hall, is decided by who manages.
    "bookings.write": _DESK,
    "bookings.decide": _MANAGING,
    "customers.read": _DESK,
    "customers.write": _DESK,
    "subscriptions.read": _DESK,
    "subscriptions.write": _MANAGING,
    "invoices.read": _DESK | _OPERATING,
    "invoices.write": _MANAGING,
    "payments.read": _DESK | _OPERATING,
    "payments.look_up": _DESK | _OPERATING,
    "refunds.read": _DESK | _OPERATING,
    "refunds.request": _DESK,
    "refunds.decide": _MANAGING,
    "operations.read": _STUDIO,
    "parked.read": _OPERATING,
    "parked.write": _OPERATING,
    "provider_accounts.read": _MANAGING | _OPERATING,
    "provider_accounts.write": _OWNING,
    "staff.read": _MANAGING,
    "staff.write": _OWNING,
    "audit.read": _MANAGING | _OPERATING,
    "events.read": _MANAGING | _OPERATING,
    "notifications.read": _DESK | _OPERATING,
    "export": _MANAGING,
    "platform.read": _PLATFORM,
    "platform.write": _PLATFORM,
}


def may(role: str, permission: str) -> bool:
    """Raises KeyError for a permission that the table does not have: a route that names it is wrong."""
    return role in PERMISSIONS[permission]
