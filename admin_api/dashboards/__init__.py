"""The owner's numbers and the platform's: read, drawn, tabled and exported. Nothing is written but the audit.

`admin_api.routers.dashboards` and the pages call `reading`, `platform`, `export` and `context`. Money of
different currencies is never added up; other studios' rows are counted on the platform's page alone.
"""
