"""Studios, and desks where somebody of a role sits: those of the dashboards' tests."""

from tests.integration.admin_api.dashboards.conftest import (  # noqa: F401
    house,
    open_shop,
    other_shop,
    services,
    shop,
    sit,
)
