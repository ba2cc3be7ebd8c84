"""What this process has counted of the database's errors."""

from prometheus_client import REGISTRY


def errors(sqlstate_class: str) -> float:
    return (
        REGISTRY.get_sample_value("billbus_database_errors_total", {"sqlstate_class": sqlstate_class}) or 0.0
    )
