"""A private spillwayd for each test module, and what the tests share."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

_READY_S = 30.0


def pytest_configure() -> None:
    reason = os.environ.get("SPILLWAY_SKIP")
    if not reason and not os.environ.get("SPILLWAYD"):
        reason = "SPILLWAYD does not name a daemon to test against"
    for module in ("numpy", "torch"):
        if importlib.util.find_spec(module) is None:
            reason = f"there is no Python module {module}"
    if reason:
        pytest.exit(reason, returncode=77)


class Daemon:
    """One spillwayd process on a socket in `directory`."""

    def __init__(self, directory: Path, memory: str, *flags: str) -> None:
        self._socket = directory / "spillway.sock"
        self._flags = ["--memory", memory, *flags]
        self._log = open(directory / "log", "ab")
        self.endpoint = f"unix:{self._socket}"
        self.start()

    def start(self) -> None:
        private = ("LD_PRELOAD", "ASAN_OPTIONS")
        self._process = subprocess.Popen(
            [os.environ["SPILLWAYD"], "--socket", str(self._socket), *self._flags],
            env={name: value for name, value in os.environ.items() if name not in private},
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
        )
        until = time.monotonic() + _READY_S
        while not self._accepts():
            assert self._process.poll() is None, f"spillwayd ended with {self._process.returncode}: {self.log()}"
            assert time.monotonic() < until, f"spillwayd is not ready: {self.log()}"
            time.sleep(0.01)

    def _accepts(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self._socket)) == 0

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """It neither reads nor answers meanwhile."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    def damage(self, pattern: bytes) -> int:
        """Turns a bit of every copy of these bytes in the daemon's memory, and tells how many there were."""
        found = 0
        with open(f"/proc/{self._process.pid}/maps") as maps, open(
            f"/proc/{self._process.pid}/mem", "r+b", 0
        ) as memory:
            for area in maps:
                addresses, permissions, _, _, inode, *_ = area.split()
                if not permissions.startswith("rw") or inode != "0" or "[v" in area:
                    continue
                begin, end = (int(address, 16) for address in addresses.split("-"))
                # A sanitizer's shadow memory is larger than any machine.
                if end - begin > 4 << 30:
                    continue
                memory.seek(begin)
                with contextlib.suppress(OSError):
                    content = memory.read(end - begin)
                    at = -1
                    while (at := content.find(pattern, at + 1)) >= 0:
                        memory.seek(begin + at)
                        memory.write(bytes([pattern[0] ^ 1]))
                        found += 1
        return found

    def stop(self) -> int:
        """Ends it as an operator would and tells its exit status."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        status = self._process.wait(timeout=30)
        self._log.close()
        return status

    def log(self) -> str:
        return Path(self._log.name).read_text(errors="replace")


@pytest.fixture
def make_daemon(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """For tests that kill their daemon or want it small."""
    started: list[Daemon] = []

    def make(memory: str = "256M", *flags: str) -> Daemon:
        directory = tmp_path / str(len(started))
        directory.mkdir()
        started.append(Daemon(directory, memory, *flags))
        return started[-1]

    yield make
    for daemon in started:
        status = daemon.stop()
        assert status in (0, -signal.SIGKILL), f"spillwayd ended with {status}: {daemon.log()}"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    running = Daemon(tmp_path_factory.mktemp("daemon"), "256M")
    yield running
    status = running.stop()
    assert status == 0, f"spillwayd ended with {status}: {running.log()}"


@pytest.fixture
def client(daemon: Daemon) -> Iterator:
    import spillway

    with spillway.Client(daemon.endpoint) as connected:
        yield connected


@pytest.fixture
def gone(client) -> Callable[[], None]:
    """Checks that nothing of autograd's is left in the daemon, within the moment that freeing takes."""

    def check() -> None:
        until = time.monotonic() + 5
        while left := client.list("autograd/"):
            assert time.monotonic() < until, f"{len(left)} objects are left: {left[0].name} ..."
            time.sleep(0.01)

    return check
