"""`python -m billing_consumer`: one consumer, until SIGTERM or SIGINT; what is in hand is finished first."""

import signal
from functools import partial

from billing_consumer.consumer import BillingConsumer
from bus.port import BusRefused
from bus.transports import choose_bus
from runtime.error_reporting import begin_logging
from runtime.metrics import serve_metrics
from runtime.settings import ConsumerSettings, load_settings
from storage.database import connect_as

SERVICE = "billing_consumer"
ROLE = "billbus_updater"


def main() -> None:
    settings = load_settings(ConsumerSettings)
    begin_logging(SERVICE, settings)
    serve_metrics(settings.metrics_port, settings.metrics_host)
    database_url = settings.database_url.get_secret_value()
    amqp_url = settings.amqp_url.get_secret_value() if settings.amqp_url else None

    connect = partial(connect_as, database_url, ROLE, f"{SERVICE}.{settings.consumer_index}")
    bus = choose_bus(amqp_url, connect, SERVICE)
    source = bus.command_consumer(settings.consumer_index, settings.consumer_count)
    consumer = BillingConsumer(source, connect, settings.group_limit)

    def stop(_signal: int, _frame: object) -> None:
        consumer.is_stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        consumer.run()
    except BusRefused as refused:
        raise SystemExit(f"billbus: {refused}") from None


if __name__ == "__main__":
    main()
