import subprocess
import sys
from pathlib import Path

import pytest

from runtime.lifeline import DirectoryBusy, DirectoryLock

HOLD = "import sys, pathlib, runtime.lifeline as l; l.DirectoryLock(pathlib.Path(sys.argv[1])).acquire()"


def test_directory_held_by_a_running_process_is_refused_to_another(tmp_path: Path) -> None:
    held = DirectoryLock(tmp_path)
    held.acquire()
    with pytest.raises(DirectoryBusy, match="in use by the running process"):
        DirectoryLock(tmp_path).acquire()
    held.release()
    DirectoryLock(tmp_path).acquire()


def test_directory_of_an_ended_process_is_free_again(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", HOLD, str(tmp_path)], check=True, timeout=20)
    DirectoryLock(tmp_path).acquire()
