import socket

from runtime.ports import HIGHEST_PORT, LOOPBACK, LOWEST_PORT, free_port, is_free


def test_port_is_below_the_range_clients_get_their_own_ports_from() -> None:
    assert all(LOWEST_PORT <= free_port() <= HIGHEST_PORT < 32_768 for _ in range(20))


def test_port_that_somebody_listens_on_is_not_free() -> None:
    port = free_port()
    with socket.create_server((LOOPBACK, port)):
        assert not is_free(port)
    assert is_free(port)
