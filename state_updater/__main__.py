"""`python -m state_updater`: the relay, until SIGTERM or SIGINT."""

import signal
from functools import partial

from prometheus_client import REGISTRY

from bus.transports import choose_bus
from runtime.error_reporting import begin_logging
from runtime.metrics import serve_metrics
from runtime.settings import TaskSettings, load_settings
from runtime.storage_gauges import StorageCollector
from state_updater.relay import Relay
from state_updater.tasks.sending import CelerySender
from storage.database import connect_as, create_role_engine

SERVICE = "state_updater"
ROLE = "billbus_relay"


def main() -> None:
    settings = load_settings(TaskSettings)
    begin_logging(SERVICE, settings)
    database_url = settings.database_url.get_secret_value()
    amqp_url = settings.amqp_url.get_secret_value() if settings.amqp_url else None
    engine = create_role_engine(database_url, ROLE, SERVICE)
    connect = partial(connect_as, database_url, ROLE, SERVICE)
    if settings.metrics_port is not None:
        REGISTRY.register(StorageCollector(engine.begin))
        serve_metrics(settings.metrics_port, settings.metrics_host)
    relay = Relay(
        engine,
        connect,
        choose_bus(amqp_url, connect, SERVICE),
        CelerySender(settings),
        settings.outbox_claim_seconds,
        settings.republish_every_seconds,
    )

    def stop(_signal: int, _frame: object) -> None:
        relay.is_stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    relay.run()


if __name__ == "__main__":
    main()
