"""kill -9 on either side, at the worst moment."""

import os
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

import wire
from harness import SANITIZE, Daemon, DaemonTest, main, pattern, until
from raw import Gone

MIB = 1 << 20


def spill_half(endpoint: str) -> None:
    """Run as a process of its own: fills two groups, stops in the middle of four puts and a get, and waits for death."""
    from raw import Raw

    client = Raw(endpoint, window=100_000)
    client.returns_credit = False
    for i in range(8):
        client.put(f"mine{i}", pattern(700_000, i), group=1 + i % 2)
    client.start_get("mine0")
    for i in range(4):
        request = client.start_put(client.describe(f"half{i}", "U8", (64 * MIB,), group=1))
        client.send_data(request, pattern(900_000, i))
    print("half-way", flush=True)
    signal.pause()


class Clients(DaemonTest):
    flags = ("--grace", "1s", "--set", "stall_timeout=20s")
    tcp = True

    def killed_in_the_middle(self, endpoint: str) -> None:
        child = subprocess.Popen(
            [sys.executable, __file__, "--spill-half", endpoint], stdout=subprocess.PIPE, env=os.environ
        )
        self.assertEqual(child.stdout.readline(), b"half-way\n")
        child.kill()
        child.wait()
        child.stdout.close()

    def test_killed_in_mid_spill(self) -> None:
        other = self.connect()
        other.put("others", b"stays")
        expired = 0
        for endpoint in (self.daemon.unix, self.daemon.tcp):
            with self.subTest(endpoint):
                self.killed_in_the_middle(endpoint)
                self.await_stats(store_unpublished_objects=0, staging_used_bytes=0)
                until("its groups are freed", lambda: not other.exists("mine3"), 30)
                self.assertEqual(self.stats()["sessions_expired"], expired := expired + 1)
                self.assertEqual(other.names(), ["others"])
        other.free("others")
        self.assert_idle()

    def test_killed_within_the_grace(self) -> None:
        """What was half-way is given up at once; what was whole is kept for who might come back."""
        daemon = self.start_daemon("--grace", "1h")
        other = self.connect(daemon.unix)
        self.killed_in_the_middle(daemon.unix)
        until("what was half-way is gone", lambda: other.stats()["store_unpublished_objects"] == 0)
        self.assertEqual(other.names(), [f"mine{i}" for i in range(8)])

    def test_killed_many_times(self) -> None:
        """What is kept, or counted wrong, would add up."""
        for _ in range(10 if not SANITIZE else 3):
            self.killed_in_the_middle(self.daemon.unix)
        self.await_stats(sessions_open=1)
        self.assert_idle()


class Daemons(DaemonTest):
    memory = "512M"

    def setUp(self) -> None:
        super().setUp()
        self.size = (256 if not SANITIZE else 160) * MIB  # the command fetches 64 MiB at a time
        owner = self.connect()
        owner.put("w", bytes(self.size))
        owner.close()

    def fetch(self, *options: str) -> subprocess.Popen:
        """`spillway get` into a pipe that nobody reads yet."""
        fetching = subprocess.Popen(
            [os.environ["SPILLWAY"], "get", "w", "-e", self.daemon.unix, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.addCleanup(fetching.stdout.close)
        self.addCleanup(fetching.stderr.close)
        self.addCleanup(fetching.kill)
        return fetching

    def test_killed_in_mid_fetch(self) -> None:
        """The client ends in time, says why, and hands out nothing as if it were whole."""
        fetching = self.fetch("--timeout", "2")
        fetching.stdout.read(1000)
        self.daemon.kill()
        began = time.monotonic()
        rest, said = fetching.communicate(timeout=30)
        self.assertEqual(fetching.returncode, 1)
        self.assertLess(time.monotonic() - began, 15)
        self.assertLess(1000 + len(rest), self.size)
        self.assertIn(b"spillway", said)
        self.assertGreater(len(said.strip().splitlines()), 0)

    def test_stopped_in_mid_fetch(self) -> None:
        """A daemon that hangs is no reason to hang."""
        fetching = self.fetch("--timeout", "2")
        fetching.stdout.read(1000)
        self.daemon.process.send_signal(signal.SIGSTOP)
        try:
            began = time.monotonic()
            fetching.communicate(timeout=30)
            self.assertEqual(fetching.returncode, 1)
            self.assertLess(time.monotonic() - began, 15)
        finally:
            self.daemon.process.send_signal(signal.SIGCONT)

    def test_started_again_after_a_kill(self) -> None:
        """The socket file of the dead daemon is in nobody's way; what was in memory is gone, and said to be."""
        client = self.connect()
        client.put("mine", b"x", group=1)
        self.daemon.kill()
        with self.assertRaises(Gone):
            client.receive()
        self.assertTrue(Path(self.daemon.socket).exists())
        again = self.start_daemon(socket=self.daemon.socket)
        self.assert_refused(wire.SESSION_LOST, self.connect, again.unix, secret=client.secret, resume=True)
        self.assertEqual(self.connect(again.unix).names(), [])


@unittest.skipIf(SANITIZE, "a sanitizer's allocator cannot be made to fail")
class Memory(DaemonTest):
    """One allocation that fails, at a bad moment: at most one connection is the worse for it."""

    def start_starved(self, least: int, most: int) -> tuple[Daemon, Path]:
        file = self.daemon.directory / "starve"
        environment = {"LD_PRELOAD": os.environ["STARVE"], "STARVE_FILE": str(file)}
        environment |= {"STARVE_LEAST": str(least), "STARVE_MOST": str(most)}
        return self.start_daemon(tcp=True, environment=environment), file

    def test_none_for_a_connection(self) -> None:
        daemon, file = self.start_starved(128 << 10, 128 << 10)
        for endpoint in (daemon.unix, daemon.tcp):
            with self.subTest(endpoint):
                file.touch()
                self.connect(endpoint).ping()
                self.assertFalse(file.exists(), "nothing failed")
                self.connect(endpoint).ping()
        self.assertIn(b"no memory for a connection", daemon.log())

    def test_none_for_an_answer(self) -> None:
        """The answers to a get without bytes, to one that fails, and to a put."""
        daemon, file = self.start_starved(250, 700)
        with self.connect(daemon.unix) as client:
            client.put("empty")
            client.put("full", b"bytes")
        for what, ask in (
            ("empty get", lambda c: c.get("empty")),
            ("failed get", lambda c: c.get("absent")),
            ("put", lambda c: c.put("x")),
            ("range", lambda c: c.get("full", offset=1, length=1)),
        ):
            with self.subTest(what):
                client = self.connect(daemon.unix)
                client.start_put(client.describe("waits", "U8", (10,)))
                client.ping()
                file.touch()
                with self.assertRaises(Gone):
                    ask(client)
                self.assertFalse(file.exists(), "nothing failed")
        self.assertEqual(self.connect(daemon.unix).get("empty"), b"")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--spill-half"]:
        spill_half(sys.argv[2])
    main()
