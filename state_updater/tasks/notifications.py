"""The task that sends messages to customers. Beat asks for it every few seconds; what is due is in rows."""

from threading import Lock

from celery import shared_task

from kit.clock import system_clock
from notifications.sending import Office, send_due
from notifications.sms import ConsoleSms
from state_updater.tasks.desk import desk

# A mail server that hangs may hold one thread of a worker: the others are for payments.
_sending = Lock()


@shared_task(name="send_notifications")
def send_notifications() -> None:
    """One look at what is due; nothing while the look before goes on in this process."""
    if not _sending.acquire(blocking=False):
        return
    try:
        send_due(_office())
    finally:
        _sending.release()


def _office() -> Office:
    at = desk()
    sms = ConsoleSms() if at.settings.sms_sender == "console" else None
    return Office(at.engine, system_clock, at.settings, sms)
