"""Free loopback ports for the private servers that this project starts.

Called by the server rooms of runtime. Never binds for longer than the question takes.
"""

import random
import socket

LOOPBACK = "127.0.0.1"
# Below the kernel's ephemeral range (32768 and up): a client that keeps trying to reconnect to a stopped
# server on an ephemeral port can be given that very port as its source, connects to itself, and the
# restarted server finds its port taken.
LOWEST_PORT = 15_000
HIGHEST_PORT = 32_000
PORT_TRIES_MAX = 200


def free_port() -> int:
    """A random port that nobody listens on now.

    Raises OSError after PORT_TRIES_MAX ports that were all taken.
    """
    for _ in range(PORT_TRIES_MAX):
        port = random.randint(LOWEST_PORT, HIGHEST_PORT)  # noqa: S311  # not a secret
        if is_free(port):
            return port
    raise OSError(f"no free port on {LOOPBACK} in {PORT_TRIES_MAX} tries")


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        # As servers do: connections of a server that has just ended (TIME_WAIT) do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
