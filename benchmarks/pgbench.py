"""pgbench as it comes, on the server that the product is measured on. Called by `benchmarks.bookings`."""

import os
import re
import subprocess
from typing import Final

from sqlalchemy.engine import make_url

from benchmarks.ground import Ground

SCALE, CLIENT_COUNT, THREAD_COUNT = 10, 16, 2
_TPS: Final = re.compile(r"^tps = ([\d.]+) ", re.MULTILINE)
_DATABASE: Final = "pgbench"


def fill_pgbench(ground: Ground) -> None:
    ground.postgres.create_database(_DATABASE)
    _run(ground, "--initialize", f"--scale={SCALE}", "--quiet")


def run_pgbench(ground: Ground, seconds: int) -> float:
    """Transactions per second of its simple update (`-N`), with prepared statements. Raises RuntimeError."""
    clients = (f"--client={CLIENT_COUNT}", f"--jobs={THREAD_COUNT}", f"--time={seconds}")
    said = _run(ground, "--skip-some-updates", "--protocol=prepared", *clients)
    found = _TPS.search(said)
    if found is None:
        raise RuntimeError(f"pgbench said {said[-500:]}")
    return float(found[1])


def _run(ground: Ground, *words: str) -> str:
    url = make_url(ground.postgres.url(_DATABASE))
    environment = {
        "PATH": os.defpath,
        "PGHOST": str(url.host),
        "PGPORT": str(url.port),
        "PGUSER": str(url.username),
        "PGPASSWORD": str(url.password),
        "PGDATABASE": str(url.database),
    }
    command = [str(ground.pgbench), *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
