"""A chart's rows as CSV, and the record that somebody took them. Called by the JSON API and the pages."""

import csv
from collections.abc import Sequence
from decimal import Decimal
from io import StringIO
from typing import Final
from uuid import UUID

from babel.numbers import get_currency_precision

from admin_api.dashboards.charts import CHARTS, Chart, Column, chart_of
from admin_api.dashboards.heat import HEAT_CHART, read_heat
from admin_api.dashboards.periods import Period
from admin_api.dashboards.platform import PLATFORM_CHARTS, read_platform_chart
from admin_api.dashboards.reading import read_chart
from admin_api.desk import Desk
from admin_api.listings.csv import BYTE_ORDER_MARK, neutral
from web.views import View

MEDIA_TYPE: Final = "text/csv; charset=utf-8"


def export_chart(desk: Desk, name: str, period: Period) -> str:
    """The studio's chart `name`. Audited. Raises Problem 403 without `export`, 404 for an unknown chart."""
    desk.require("export")
    chart = chart_of(CHARTS, name)
    rows = read_chart(desk, chart, period)
    _audit(desk, name, period, len(rows), None)
    return csv_text(chart, rows)


def export_platform_chart(desk: Desk, name: str, period: Period, studio_id: UUID | None = None) -> str:
    """The platform's chart `name`. Audited. Raises Problem 403 without `platform.read`, 404 as above."""
    desk.require("platform.read")
    chart = chart_of(PLATFORM_CHARTS, name)
    rows = read_platform_chart(desk, chart, period, studio_id)
    _audit(desk, name, period, len(rows), studio_id)
    return csv_text(chart, rows)


def export_heat(desk: Desk, period: Period, hall_id: UUID | None = None) -> str:
    """All hours of the week, of one hall or all. Audited. Raises Problem 403, 404 and 422 as `read_heat`."""
    desk.require("export")
    rows = read_heat(desk, period, hall_id).cells
    _audit(desk, HEAT_CHART.name, period, len(rows), None, hall_id)
    return csv_text(HEAT_CHART, rows)


def file_name(name: str, period: Period) -> str:
    """Of ASCII letters, for Content-Disposition; `name` is a chart's."""
    return f"{name}_{period.from_on}_{period.to_on}.csv"


def csv_text(chart: Chart, rows: Sequence[View]) -> str:
    """A header of the columns' names and a line for each row. Sums are in major units, with a point."""
    sheet = StringIO()
    writer = csv.writer(sheet, lineterminator="\r\n")
    writer.writerow([column.name.removesuffix("_minor") for column in chart.columns])
    writer.writerows([_cell(column, row) for column in chart.columns] for row in rows)
    return BYTE_ORDER_MARK + sheet.getvalue()


def _cell(column: Column, row: View) -> str:
    value = getattr(row, column.name)
    match column.kind:
        case "count" | "day":
            return "" if value is None else str(value)
        case "money":
            # A number of ours may begin with a minus: it is no formula.
            digits = get_currency_precision(getattr(row, "currency", ""))
            return f"{Decimal(value).scaleb(-digits):.{digits}f}"
        case "code" | "name":
            return neutral(str(value))


def _audit(
    desk: Desk,
    name: str,
    period: Period,
    row_count: int,
    studio_id: UUID | None,
    hall_id: UUID | None = None,
) -> None:
    facts: dict[str, object] = {
        "chart": name,
        "from": str(period.from_on),
        "to": str(period.to_on),
        "rows": row_count,
    }
    if studio_id is not None:
        facts["studio_id"] = str(studio_id)
    if hall_id is not None:
        facts["hall_id"] = str(hall_id)
    with desk.transaction() as connection:
        desk.audit(connection, "export", None, facts=facts)
