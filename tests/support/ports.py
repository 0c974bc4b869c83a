"""Free ports on this machine for a program that starts a moment later."""

from __future__ import annotations

import random
import socket

from jupyter_client.connect import LocalPortCache

# Below the ports that systems use for outgoing connections (on Linux, 32,768 and above; on others,
# 49,152 and above), so that a port that is free now is still free when the program has started.
LEAST, MOST = 10_000, 32_000
anywhere = random.SystemRandom()  # several processes search at the same time


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
    """The source of kernels' ports after ``KernelPorts.instance()`` was called.

    jupyter_client uses any free port. By the time a kernel has started, one of a thousand
    connections to test servers may have that port, and the error is "Kernel died before replying to
    kernel_info".
    """

    def find_available_port(self, ip: str) -> int:
        while (port := free_port(ip)) in self.currently_used_ports:
            pass
        self.currently_used_ports.add(port)
        return port
