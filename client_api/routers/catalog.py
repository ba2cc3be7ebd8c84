"""What is for sale in this studio. Anybody may look."""

from fastapi import APIRouter

from client_api.queries.catalog import list_plans
from client_api.queries.studios import get_studio
from client_api.services import PREFIX, ServicesOf, StudioId
from client_api.views import PlanListView
from storage.database import tenant
from web.documented import problems
from web.fields import shown
from web.strict import StrictRoute

router = APIRouter(prefix=PREFIX, tags=["catalog"], route_class=StrictRoute)


@router.get("/plans", operation_id="list_plans", responses=problems(404), summary="Plans for sale")
@shown
def plans(services: ServicesOf, studio_id: StudioId) -> PlanListView:
    """Active plans with the prices in force now, one per billing period."""
    with tenant(services.engine, studio_id) as connection:
        now = get_studio(connection, studio_id).now(services.clock())
        return PlanListView(items=list_plans(connection, now))
