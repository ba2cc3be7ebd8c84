"""`python -m tests.integration.web.telling_process PORT TRUSTED`: serves what it knows of whoever asks."""

import sys

from fastapi import FastAPI, Request

from runtime.ports import LOOPBACK
from web.edge import remote_address
from web.serving import serve

app = FastAPI()


@app.get("/")
async def tell(request: Request) -> dict[str, str | None]:
    return {"address": remote_address(request), "scheme": request.url.scheme}


if __name__ == "__main__":
    serve(app, LOOPBACK, int(sys.argv[1]), sys.argv[2])
