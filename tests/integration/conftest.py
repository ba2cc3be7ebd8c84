"""Real servers and databases for this tier."""

from tests.databases import (
    database_url,
    databases,
    each_database_url,
    each_empty_database_url,
    wheel_databases,
)

__all__ = ["database_url", "databases", "each_database_url", "each_empty_database_url", "wheel_databases"]
