"""Swagger UI at `/docs`, its files from an installed package: nothing comes from another host."""

from html import escape
from importlib.resources import files
from typing import Final

from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="{prefix}/docs/assets/swagger-ui.css">
<link rel="icon" href="{prefix}/docs/assets/favicon.png">
</head>
<body>
<div id="swagger-ui" data-openapi="{openapi}"></div>
<script src="{prefix}/docs/assets/swagger-ui-bundle.js"></script>
<script src="{prefix}/docs/static/docs.js"></script>
</body>
</html>
"""


def mount(app: FastAPI, prefix: str = "") -> None:
    """`/docs` below `prefix`, of the document that the application has at its `openapi_url`."""
    page = _PAGE.format(title=escape(app.title), prefix=prefix, openapi=app.openapi_url)

    @app.get(f"{prefix}/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})

    app.mount(f"{prefix}/docs/assets", StaticFiles(directory=str(files("fastapi_offline") / "static")))
    app.mount(f"{prefix}/docs/static", StaticFiles(directory=str(files("web") / "static")))
