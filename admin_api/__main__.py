"""`python -m admin_api`: serves the API until SIGTERM or SIGINT; requests in hand are answered first."""

from functools import partial

from admin_api.app import ROLE, SERVICE, create_app
from bus.transports import choose_bus
from runtime.error_reporting import begin_logging
from runtime.settings import AdminSettings, load_settings
from storage.database import connect_as
from web.serving import serve


def main() -> None:
    settings = load_settings(AdminSettings)
    begin_logging(SERVICE, settings)
    database_url = settings.database_url.get_secret_value()
    amqp_url = settings.amqp_url.get_secret_value() if settings.amqp_url else None
    bus = choose_bus(amqp_url, partial(connect_as, database_url, ROLE, f"{SERVICE}-publisher"), SERVICE)
    app = create_app(settings, bus.command_publisher())
    serve(app, settings.admin_api_host, settings.admin_api_port, settings.trusted_proxies)


if __name__ == "__main__":
    main()
