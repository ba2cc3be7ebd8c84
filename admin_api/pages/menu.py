"""What stands in the sidebar, grouped by job; everybody sees what they may open."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from admin_api.desk import Person
from admin_api.listings import LISTINGS


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the menu: `word` is its key in the words."""

    word: str
    href: str
    icon: str
    permission: str


def _listing(name: str, icon: str) -> Entry:
    return Entry(f"listing.{name}", f"/admin/{name}/list", icon, LISTINGS[name].permission)


MENU: Final[tuple[tuple[str, tuple[Entry, ...]], ...]] = (
    ("menu.today", (Entry("menu.dashboard", "/admin/", "fa-gauge-high", "dashboard.read"),)),
    (
        "menu.desk",
        (
            _listing("customers", "fa-users"),
            _listing("subscriptions", "fa-rotate"),
            _listing("invoices", "fa-file-invoice"),
        ),
    ),
    (
        "menu.bookings",
        (
            Entry("menu.today_at_desk", "/admin/today", "fa-bell-concierge", "bookings.read"),
            Entry("menu.board", "/admin/board", "fa-table-cells", "bookings.read"),
            _listing("bookings", "fa-calendar-check"),
            _listing("blackouts", "fa-calendar-xmark"),
            _listing("halls", "fa-door-open"),
            _listing("tariffs", "fa-clock"),
            _listing("extras", "fa-microphone"),
            _listing("booking_terms", "fa-scale-balanced"),
            Entry("menu.heat_map", "/admin/heat-map", "fa-fire", "bookings.read"),
        ),
    ),
    (
        "menu.money",
        (
            _listing("payments", "fa-credit-card"),
            _listing("received", "fa-coins"),
            _listing("refunds", "fa-rotate-left"),
        ),
    ),
    ("menu.catalog", (_listing("plans", "fa-tags"), _listing("prices", "fa-ruble-sign"))),
    (
        "menu.operations",
        (
            _listing("parked", "fa-box-archive"),
            _listing("events", "fa-bolt"),
            _listing("notifications", "fa-envelope"),
            _listing("audit", "fa-clipboard-list"),
        ),
    ),
    (
        "menu.settings",
        (
            _listing("staff", "fa-user-tie"),
            _listing("tokens", "fa-key"),
            _listing("provider_accounts", "fa-building-columns"),
        ),
    ),
    (
        "menu.platform",
        (
            Entry("menu.platform", "/admin/platform", "fa-globe", "platform.read"),
            Entry("menu.platform_audit", "/admin/platform/audit", "fa-clipboard-list", "platform.read"),
        ),
    ),
)


def menu_of(person: Person) -> Iterator[tuple[str, list[Entry]]]:
    """The groups that have something for this person."""
    for word, entries in MENU:
        open_entries = [entry for entry in entries if person.may(entry.permission)]
        if open_entries:
            yield word, open_entries


def is_current(entry: Entry, path: str) -> bool:
    """Whether `path` is the entry's page or one below it."""
    return path == entry.href or (entry.href.endswith("/list") and path.startswith(entry.href[:-4]))
