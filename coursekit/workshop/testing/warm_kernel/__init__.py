"""Kernels that start warm: forked from a process that has already imported what notebooks import.

Nearly all of a short notebook's time goes into starting its kernel and importing openai and
matplotlib. A fork has them at once, and is otherwise a process as fresh as any: what one notebook
does to its modules no other sees. Where we run notebooks ourselves (``make test``, ``coursekit
test``, ``refresh``, ``record``) kernels are started so; a learner's JupyterLab knows nothing of it.

The kernel stays the one that the kernelspec names: only the *provisioner*, jupyter_client's part
that starts processes, is ours for a while. (The alternative, a kernelspec whose command asks the
warm process, would cost a second Python for each kernel, which had to pass on signals and exit
codes.) It starts the ordinary kernel wherever a fork could differ: for another environment than the
warm process has, and on other systems than Linux. On macOS a fork without exec is unsafe once
system frameworks are loaded, which is why Python itself gave it up there; Windows has none.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint
from pathlib import Path

COMPLAINTS, SOCKET = "complaints.txt", "socket"  # in the warm process's folder
IMPORTS = f"{__name__}.imports"  # what it imports
SECONDS_TO_END = 20  # it may be in the middle of its imports


@contextlib.contextmanager
def warm_kernels(environment: Mapping[str, str]) -> Iterator[None]:
    """Within, kernels with this environment are forked from a warm process of our own; stderr tells
    why one was not.
    """
    with warm_process(environment) as folder, forked_kernels(folder):
        yield
        for reason in complaints(folder):
            print(f"A notebook ran in an ordinary kernel: {reason}", file=sys.stderr)


@contextlib.contextmanager
def warm_process(environment: Mapping[str, str]) -> Iterator[Path | None]:
    """Start the warm process, and end it and all its kernels afterwards; it ends too when this
    process is killed.

    environment  that of the kernels, but for COURSEKIT_*, JPY_*, PYTEST_* and the size of a
                 terminal, which may differ
    Yields the folder by which to find it; None where there can be none. It imports when it is first
      asked.
    """
    if sys.platform != "linux":
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="coursekit-warm-"))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        try:
            stack.enter_context(_running(folder, environment))
        except OSError as error:  # no kernel will find it: ordinary ones start
            complain(folder, f"the warm process cannot start: {error}")
        yield folder


@contextlib.contextmanager
def _running(folder: Path, environment: Mapping[str, str]) -> Iterator[None]:
    if sys.platform != "linux":
        raise OSError("only Linux has what is used here")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(str(folder / SOCKET))
        listener.listen()
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                f"{__name__}.zygote",
                str(listener.fileno()),
                IMPORTS,
            ],
            cwd=folder,
            env=dict(environment),
            pass_fds=[listener.fileno()],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
    try:
        yield
    finally:
        assert process.stdin
        process.stdin.close()  # its end
        try:
            process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:  # its kernels see that, and end
            process.kill()
            process.wait()


def wake(folder: Path) -> None:
    """Let the warm process import now what it would import when it is first asked for a kernel."""
    if sys.platform == "linux":
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection,
        ):
            connection.connect(str(folder / SOCKET))


@contextlib.contextmanager
def forked_kernels(folder: Path | None) -> Iterator[None]:
    """Within, jupyter_client forks its kernels from the warm process with this folder; None changes
    nothing.
    """
    if sys.platform == "linux" and folder:
        from jupyter_client.provisioning.factory import KernelProvisionerFactory

        from .provisioner import WarmProvisioner

        factory = KernelProvisionerFactory.instance()
        ours = EntryPoint(
            "coursekit-warm",
            f"{WarmProvisioner.__module__}:WarmProvisioner",
            factory.GROUP_NAME,
        )
        factory.provisioners[ours.name] = (
            ours  # here, not in pyproject.toml: the learner's Jupyter is not to know it
        )
        before = factory.default_provisioner_name, WarmProvisioner.folder
        factory.default_provisioner_name, WarmProvisioner.folder = ours.name, folder
        try:
            yield
        finally:
            factory.default_provisioner_name, WarmProvisioner.folder = before
    else:
        yield


def complain(folder: Path, reason: str) -> None:
    """Note why a kernel could not be forked."""
    with (folder / COMPLAINTS).open("a", encoding="utf-8") as complaints:
        complaints.write(f"{reason}\n")


def complaints(folder: Path | None) -> list[str]:
    """Why kernels could not be forked, and ordinary ones were started; each reason once."""
    file = folder and folder / COMPLAINTS
    return (
        sorted(set(file.read_text(encoding="utf-8").splitlines()))
        if file and file.exists()
        else []
    )
