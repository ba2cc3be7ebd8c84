"""Celery's broker of the embedded run: kombu's filesystem transport, with messages that appear whole.

As it is, a reader may take a file that is still being written (seen with three writers). Here a message is
written under another name and renamed. A task in hand when its worker is killed is lost; sweeps repeat it.
"""

import os
from pathlib import Path
from time import time_ns
from typing import Any
from uuid import uuid4

from kombu.exceptions import ChannelError
from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps

ALIAS = "billbusfolder"
FOLDERS = ("queue", "control", "taken")


class Channel(filesystem.Channel):
    """The library's channel with an atomic `_put`."""

    def _put(self, queue: str, payload: dict[str, Any], **_options: Any) -> None:  # type: ignore[override]
        # Zero-padded, so that names sort by time; the part after the first dot must be the queue's.
        name = f"{time_ns():020d}_{uuid4()}.{queue}.msg"
        folder = Path(self.data_folder_out)
        unfinished = folder / f".{name}.part"
        try:
            unfinished.write_bytes(dumps(payload).encode())
            os.replace(unfinished, folder / name)
        except OSError as error:
            raise ChannelError(f"cannot write a task into {folder}") from error


class Transport(filesystem.Transport):
    Channel = Channel


TRANSPORT_ALIASES[ALIAS] = f"{__name__}:Transport"


def transport_options(folder: Path) -> dict[str, object]:
    """Makes the folders if they are not there, before any process uses them."""
    for name in FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
    return {
        "data_folder_in": str(folder / "queue"),
        "data_folder_out": str(folder / "queue"),
        "control_folder": str(folder / "control"),
        "processed_folder": str(folder / "taken"),
    }
