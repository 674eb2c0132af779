"""A private spillwayd for each test, and the demands that every test makes of it at its end."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from raw import Raw

# Set by the build: what it was instrumented with, empty for none.
SANITIZE = os.environ.get("SPILLWAY_SANITIZE", "")

READY_S = 60.0
END_S = 60.0

_REPORTS = re.compile(
    rb"ERROR: (Address|Leak)Sanitizer|WARNING: ThreadSanitizer|runtime error:|level=fatal|assertion failed|FATAL:"
)


def pattern(count: int, seed: int = 1) -> bytes:
    """Bytes that no coding shortens, always the same."""
    import numpy

    return numpy.random.default_rng(seed).bytes(count)


def until(what: str, condition, limit_s: float = 30.0):
    """Polls until the condition gives something true, and returns that."""
    end = time.monotonic() + limit_s
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit_s} s: {what}")
        time.sleep(0.02)
    return value


class Daemon:
    """One spillwayd process on sockets of its own."""

    def __init__(
        self,
        *flags: str,
        memory: str = "64M",
        tcp: bool = False,
        socket: str | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="spillway-test-"))
        self.socket = socket or str(self.directory / "spillway.sock")
        self._log = self.directory / "log"
        self.unix = f"unix:{self.socket}"
        command = [os.environ["SPILLWAYD"], "--socket", self.socket, "--memory", memory]
        command += ["--config", "/dev/null", "--http", "tcp:0"]
        if tcp:
            command += ["--listen", "tcp:0"]
        with open(self._log, "wb") as log:
            self.process = subprocess.Popen(
                [*command, *flags],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env={**os.environ, **(environment or {})},
            )
        until("the daemon is ready", self._ready, READY_S)
        port = re.search(rb"tcp_port=(\d+)", self.log())
        self.tcp = f"tcp:127.0.0.1:{port[1].decode()}" if tcp else ""
        port = re.search(rb"control_port=(\d+)", self.log())
        self.control_tcp = f"127.0.0.1:{port[1].decode()}"
        self.http_port = int(re.search(rb"http_port=(\d+)", self.log())[1])
        self.control = "unix:" + self.socket.removesuffix(".sock") + "-control.sock"

    def _ready(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"spillwayd ended with {self.process.returncode}: {self.log().decode()}")
        return b"msg=ready" in self.log()

    def log(self) -> bytes:
        return self._log.read_bytes()

    def status(self, field: str) -> int:
        """A number of /proc/PID/status, in bytes where the kernel gives kB."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+)", text, re.M)[1]) * 1024

    def settled_rss(self) -> int:
        """Resident memory once the arena's steps ahead of need are faulted in: something has been put before."""
        with Raw(self.unix) as client:

            def seen() -> tuple[int, int]:
                return client.stats()["ram_resident_bytes"], self.status("VmRSS")

            def still() -> tuple[int, int] | None:
                before = seen()
                time.sleep(0.2)
                after = seen()
                settled = after[0] == before[0] > 0 and abs(after[1] - before[1]) < 64 << 10
                return after if settled else None

            rss = until("memory settles", still)[1]
            client.bye()
        return rss

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def terminate(self, limit_s: float = END_S) -> float:
        """SIGTERM; how many seconds it took to end."""
        began = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"spillwayd does not end on SIGTERM: {self.log().decode()}") from None
        return time.monotonic() - began

    def finish(self) -> None:
        """Ends it and demands a clean end: at its exit it asserts that every byte of its memory came back."""
        killed = self.process.poll() == -signal.SIGKILL
        if not killed:
            self.terminate()
        log = self.log()
        shutil.rmtree(self.directory)
        if report := _REPORTS.search(log):
            raise AssertionError(f"{report[0].decode()}\n{log.decode(errors='replace')}")
        if not killed and self.process.returncode != 0:
            raise AssertionError(f"exit status {self.process.returncode}\n{log.decode(errors='replace')}")


class DaemonTest(unittest.TestCase):
    """Each test has a daemon with these flags, and whatever clients it connects are closed after it."""

    flags: tuple[str, ...] = ()
    memory = "64M"
    tcp = False

    def setUp(self) -> None:
        self.daemon = self.start_daemon(*self.flags, memory=self.memory, tcp=self.tcp)

    def start_daemon(self, *flags: str, **options) -> Daemon:
        daemon = Daemon(*flags, **options)
        self.addCleanup(daemon.finish)
        return daemon

    def connect(self, endpoint: str = "", **options) -> Raw:
        client = Raw(endpoint or self.daemon.unix, **options)
        self.addCleanup(client.close)
        return client

    def stats(self) -> dict[str, int]:
        with self.connect() as client:
            answer = client.stats()
            client.bye()
        return answer

    def await_stats(self, limit_s: float = 30.0, **expected: int) -> dict[str, int]:
        """Waits until these counters have these values."""
        seen: dict[str, int] = {}

        def reached() -> bool:
            seen.update(self.stats())
            return all(seen[name] == value for name, value in expected.items())

        try:
            until("counters", reached, limit_s)
        except AssertionError:
            raise AssertionError(f"wanted {expected}, have {({name: seen[name] for name in expected})}") from None
        return seen

    def assert_idle(self) -> None:
        """Nothing is stored, and nothing is held for anybody."""
        self.await_stats(
            store_objects=0,
            store_unpublished_objects=0,
            store_lingering_objects=0,
            index_used_bytes=0,
            ram_used_bytes=0,
            staging_used_bytes=0,
            staging_waiting=0,
        )

    def assert_refused(self, status: int, call, *args, says: str = "", **options):
        from raw import Refused

        with self.assertRaises(Refused) as caught:
            call(*args, **options)
        self.assertEqual(caught.exception.status, status, str(caught.exception))
        self.assertTrue(caught.exception.text, "every status comes with a sentence")
        self.assertIn(says, caught.exception.text)
        return caught.exception


def main() -> None:
    unittest.main(verbosity=2)
