"""Which pages there are, at which address and for whom; `admin_api.app` mounts them below /admin.

The pages themselves are the modules beside this one; lists, details and exports are a view for each listing.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from fastapi import FastAPI
from sqladmin.authentication import login_required
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from admin_api.bookings import heat_page
from admin_api.bookings import pages as desk_pages
from admin_api.desk import Services
from admin_api.listings import LISTINGS
from admin_api.pages import doing, entrance, overview, platform_audit, profile, watching
from admin_api.pages.listing_views import listing_view
from admin_api.pages.site import Site

Endpoint = Callable[[Site, Request], Awaitable[Response]]

# Pages for whoever is signed in: method, path, endpoint.
PAGES: Final[tuple[tuple[str, str, Endpoint], ...]] = (
    ("GET", "/", overview.show_dashboard),
    ("GET", "/platform", overview.show_platform),
    ("GET", "/dashboard/{chart}.csv", overview.export_chart),
    ("GET", "/platform/audit", platform_audit.show_audit),
    # Before the charts: the next pattern would take it for one.
    ("GET", "/platform/audit.csv", platform_audit.export_audit),
    ("GET", "/platform/{chart}.csv", overview.export_platform_chart),
    ("GET", "/board", desk_pages.show_board),
    ("GET", "/today", desk_pages.show_today),
    ("GET", "/heat-map", heat_page.show_heat),
    ("GET", "/heat-map.csv", heat_page.export_heat),
    ("GET", "/profile", profile.show_profile),
    ("GET", "/logout", entrance.show_sign_out),
    ("POST", "/sign-out", entrance.sign_out_here),
    ("GET", "/operations/{command_id}", watching.show_operation),
    ("GET", "/look-ups/{what}", watching.look_up_choices),
    ("GET", "/do/{action}", doing.show_form),
    ("POST", "/do/{action}", doing.take_form),
    ("GET", "/do/{action}/{subject_id}", doing.show_form),
    ("POST", "/do/{action}/{subject_id}", doing.take_form),
)
# Pages that open the door, for anybody.
DOORS: Final[tuple[tuple[str, str, Endpoint], ...]] = (
    ("GET", "/login", entrance.show_sign_in),
    ("POST", "/login", entrance.sign_in_here),
    ("GET", "/invitation", entrance.show_invitation),
    ("POST", "/invitation", entrance.accept_invitation_here),
)


def mount(app: FastAPI, services: Services) -> None:
    """Adds the pages to the application; called last, for they answer whatever else is below /admin."""
    site = Site(app, services)
    doors = [
        Route(path, partial(endpoint, site), methods=[method], name=path) for method, path, endpoint in DOORS
    ]
    site.answer([*(route_for(site, *page) for page in PAGES), *doors])
    for listing in LISTINGS.values():
        site.add_view(listing_view(listing))
    app.state.site = site


def route_for(site: Site, method: str, path: str, endpoint: Endpoint) -> Route:
    """A page for whoever is signed in; others are shown to the door."""
    return Route(path, partial(login_required(endpoint), site), methods=[method], name=path)
