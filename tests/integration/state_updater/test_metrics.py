"""Beat and the worker show what they count; the sweep says when it was, so that its silence is heard."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic, sleep, time
from urllib.error import URLError
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from runtime.ports import free_port
from tests.integration.state_updater.shops import ROOT, SEALING_KEY

DEADLINE_SECONDS = 45


@contextmanager
def running(role: str, url: str, folder: Path, port: int) -> Iterator[None]:
    environment = {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": url,
        "SEALING_KEY": SEALING_KEY,
        "CELERY_FOLDER": str(folder),
        "METRICS_PORT": str(port),
        "SWEEP_EVERY_SECONDS": "0.5",
    }
    command = [sys.executable, "-m", "state_updater.tasks", role]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        assert process.wait(DEADLINE_SECONDS) == 0


def last_sweep(port: int) -> float | None:
    """None while nobody answers."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            families = list(text_string_to_metric_families(answer.read().decode()))
    except URLError:
        return None
    (sample,) = next(one for one in families if one.name == "billbus_last_sweep_timestamp_seconds").samples
    return sample.value


def test_the_worker_tells_when_it_swept_and_beat_answers_too(house: str, tmp_path: Path) -> None:
    worker, beat = free_port(), free_port()
    began = time()
    with ExitStack() as stack:
        stack.enter_context(running("worker", house, tmp_path, worker))
        stack.enter_context(running("beat", house, tmp_path, beat))
        deadline = monotonic() + DEADLINE_SECONDS
        while not (last_sweep(worker) or 0) > began or last_sweep(beat) is None:
            assert monotonic() < deadline
            sleep(0.2)
        assert last_sweep(beat) == 0
