"""The provider's twin as a process of its own, and a studio's account with it.

Called by `benchmarks.bookings`.
"""

import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg

from benchmarks.people import HOST, STUDIO
from benchmarks.workers import ROOT, Place, end_processes, wait_until_accepting
from runtime.lifeline import die_with_parent
from runtime.ports import LOOPBACK, free_port
from storage.sealing import seal

ANSWER_SECONDS_MAX = 10.0
TERMINAL = "benchmark"
# Another company's machine has a disk of its own: the twin's fsyncs shall not wait for Postgres's.
_MEMORY = Path("/dev/shm")  # noqa: S108  # a directory is made there, not a file with a known name

_ACCOUNT = """
    UPDATE provider_account SET public_id = %s, sealed_secret = %s, api_url = %s, widget_script_url = %s
    WHERE studio_id = %s
"""

# Payers come back to the API's own page.
_ORIGIN = "UPDATE studio SET allowed_origins = %s WHERE id = %s"


@dataclass(frozen=True, slots=True)
class Twin:
    port: int
    process_id: int

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def introduce(self, place: Place, api_ports: list[int]) -> None:
        """Makes it the provider of STUDIO. Questions go to one of the API's processes, news to the other."""
        secret, account_id = secrets.token_urlsafe(), STUDIO.id("provider_account")
        with psycopg.connect(place.database_url) as owner:
            script = f"{self.url}/bundles/cloudpayments.js"
            sealed = seal(place.sealing_key, secret)
            owner.execute(_ORIGIN, [[f"http://{HOST}"], STUDIO.id("studio")])
            owner.execute(_ACCOUNT, [TERMINAL, sealed, self.url, script, STUDIO.id("studio")])
        callbacks = {
            kind: f"http://{LOOPBACK}:{port}/callbacks/cloudpayments/{account_id}/{kind}"
            for kind, port in zip(("check", "pay"), api_ports, strict=True)
        }
        site = {"secret": secret, "is_test": True, "callbacks": callbacks}
        place_url = f"{self.url}/_twin/sites/{TERMINAL}"
        httpx.put(place_url, json=site, timeout=ANSWER_SECONDS_MAX).raise_for_status()


@contextmanager
def running_twin(directory: Path) -> Iterator[Twin]:
    """For the length of a block, with empty books. Raises RuntimeError if it does not serve."""
    port = free_port()
    state = (_MEMORY if _MEMORY.is_dir() else directory) / f"billbus-twin-{secrets.token_hex(6)}"
    command = [sys.executable, "-m", "sandbox.cloudpayments", "--port", str(port), "--state", str(state)]
    with (directory / "twin.log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )  # fmt: skip
    try:
        wait_until_accepting(port, process)
        yield Twin(port, process.pid)
    finally:
        end_processes([process])
        (state / "ledger.jsonl").unlink(missing_ok=True)
        if state.exists():
            state.rmdir()
