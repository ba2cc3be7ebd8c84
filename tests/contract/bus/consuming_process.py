"""A process that receives commands, prints their ids and never acknowledges one: made to be killed.

Arguments: transport, address of the server, index, count.
"""

import sys

from bus.transports import Bus, EmbeddedBus, RabbitBus
from storage.database import connect_as


def main(transport: str, url: str, index: str, count: str) -> None:
    bus: Bus = RabbitBus(url, "child")
    if transport == "embedded":
        bus = EmbeddedBus(lambda: connect_as(url, "billbus_updater", "child"))
    consumer = bus.command_consumer(int(index), int(count))
    print("up", flush=True)
    while True:
        for delivery in consumer.receive(100, 1.0):
            print(delivery.message_id, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
