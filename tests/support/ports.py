"""Free ports of this machine for a program that starts a moment later."""

from __future__ import annotations

import random
import socket

from jupyter_client.connect import LocalPortCache

# Below what systems hand out to every connection (Linux from 32,768 on, others from 49,152 on): what
# is free now is still free when the program has started.
LEAST, MOST = 10_000, 32_000
anywhere = random.SystemRandom()  # several processes look at the same time


def free_port(host: str = "127.0.0.1") -> int:
    """A port that nothing listens on."""
    while True:
        port = anywhere.randrange(LEAST, MOST)
        with socket.socket() as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
        return port


class KernelPorts(LocalPortCache):
    """Where kernels get their ports, once ``KernelPorts.instance()`` was called.

    jupyter_client takes any free port, and by the time a kernel has started, one of a thousand
    connections to test servers may have it: "Kernel died before replying to kernel_info".
    """

    def find_available_port(self, ip: str) -> int:
        while (port := free_port(ip)) in self.currently_used_ports:
            pass
        self.currently_used_ports.add(port)
        return port
