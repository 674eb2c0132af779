"""spillwayd as a process: its configuration, its sockets' files, its signals, its log."""

import os
import re
import signal
import socket
import stat
import subprocess
import threading
import time
from pathlib import Path

import wire
from harness import DaemonTest, main, pattern, until
from raw import Gone, Raw, Refused

MIB = 1 << 20


def run(*flags: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run([os.environ["SPILLWAYD"], *flags], capture_output=True, text=True, timeout=60, **options)


class Configuration(DaemonTest):
    def setUp(self) -> None:
        super().setUp()
        self.file = self.daemon.directory / "spillwayd.conf"

    def check(self, text: str, *flags: str) -> subprocess.CompletedProcess:
        self.file.write_text(text)
        return run("--config", str(self.file), *flags, "--check-config")

    def test_what_is_printed_can_be_read_again(self) -> None:
        first = self.check('memory = "1G" # comment\nlisten = "tcp:[::1]:0"\nspace "a" { quota = "5M" }\n')
        self.assertEqual((first.returncode, first.stderr), (0, ""))
        self.assertIn('memory = "1073741824"\n', first.stdout)
        self.assertIn('space "a" { quota = "5242880" }\n', first.stdout)
        second = self.check(first.stdout)
        self.assertEqual((second.returncode, second.stdout), (0, first.stdout))

    def test_flags_win_over_the_file(self) -> None:
        done = self.check('memory = "1G"\ngrace = "1s"\n', "--memory", "32M", "--set", "window=5M")
        self.assertIn('memory = "33554432"\n', done.stdout)
        self.assertIn('grace = "1000ms"\n', done.stdout)
        self.assertIn('window = "5242880"\n', done.stdout)

    def test_a_broken_line_is_named(self) -> None:
        for text, line, expected in (
            ('memory = "64M"\ngrace = "soon"\n', 2, "a duration such as 10s"),
            ("# a comment\n# and one more\n\nmemory = lots\n", 4, "a size such as 512M"),
            ('/* two\nlines */ socket = "a#b" // three\nlisten = "nowhere"\n', 3, "tcp:ADDRESS:PORT"),
            ('memory = "1G"\ncodec_threads = "0"\n', 2, "a number from 1 to 256"),
            ('max_connections = "-1"\n', 1, "a number from 1 to 65536"),
            ('log_level = "loud"\n', 1, "debug, info, warning or error"),
            ('insecure = "maybe"\n', 1, "true or false"),
            ('\nmemry = "1G"\n', 2, "there is no option 'memry': there are socket, listen, insecure, memory,"),
            ('space "a" {\n  qouta = "1M"\n}\n', 2, "a space has no option 'qouta': there are quota"),
            ('memory "1G"\n', 1, "equal sign"),
            ('memory = "1G\n', 2, "end of file"),
            ('space "a" {\n  quota = "much"\n}\n', 3, 'quota = "8G"'),
            ('space "no spaces" { quota = "1M" }\n', 1, "A-Z a-z 0-9"),
        ):
            with self.subTest(text):
                done = self.check(text)
                self.assertEqual(done.returncode, 2)
                self.assertEqual(done.stdout, "")
                self.assertTrue(done.stderr.startswith(f"spillwayd: {self.file}:{line}: "), done.stderr)
                self.assertIn(expected, done.stderr)

    def test_what_cannot_work_is_refused(self) -> None:
        for flags, says in (
            (("--listen", "tcp:0.0.0.0:0"), "insecure"),
            (("--listen", "tcp:[::]:0"), "insecure"),
            (("--socket", "none"), "nothing to listen at"),
            (("--memory", "1M"), "at least 16M"),
            (("--memory", "16M", "--staging", "12M"), "half of memory"),
            (("--set", "window=1K"), "at least 4M"),
            (("--set", "nonsense"), "OPTION=VALUE"),
            (("--set", "colour=blue"), "there is no option 'colour': there are socket, listen,"),
            (("--set", "stall_timeout=0"), "at least 100ms"),
            (("--set", "request_timeout=0"), "at least 100ms"),
            (("--listen", "tcp:localhost:99999"), "tcp:ADDRESS:PORT"),
            (("--memory", "-5G"), "a size"),
            (("--memory", "1e300T"), "a size"),
            (("--config", "/no/such/file"), "/no/such/file: cannot be read: No such file"),
            (("--config", "/"), "Is a directory"),
            (("stray",), "options only"),
        ):
            with self.subTest(flags):
                done = run("--config", "/dev/null", *flags, "--check-config")
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertIn(says, done.stderr)

    def test_no_configuration_is_needed(self) -> None:
        done = run("--check-config", env={**os.environ, "XDG_RUNTIME_DIR": "/run/user/7"})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn('socket = "/run/user/7/spillway/spillway.sock"\n', done.stdout)
        self.assertIn('listen = "none"\n', done.stdout)
        self.assertEqual(run("--config", "/dev/null", "--listen", "tcp:0.0.0.0:0", "--insecure", "--check-config").returncode, 0)  # fmt: skip

    def test_help_and_version(self) -> None:
        self.assertIn("--check-config", run("--help").stdout)
        self.assertRegex(run("--version").stdout, r"^spillwayd \d+\.\d+")


class Sockets(DaemonTest):
    def test_the_socket_is_its_users_alone(self) -> None:
        self.assertEqual(stat.S_IMODE(os.stat(self.daemon.socket).st_mode), 0o600)
        inner = str(self.daemon.directory / "made" / "spillway.sock")
        self.start_daemon(socket=inner)
        self.assertEqual(stat.S_IMODE(os.stat(os.path.dirname(inner)).st_mode), 0o700)

    def test_a_second_daemon_is_refused(self) -> None:
        self.connect().put("w", b"kept")
        done = run("--config", "/dev/null", "--socket", self.daemon.socket)
        self.assertEqual(done.returncode, 1)
        self.assertIn("somebody listens there already", done.stderr)
        self.assertIn(self.daemon.socket, done.stderr)
        self.assertEqual(self.connect().get("w"), b"kept")
        tcp = self.start_daemon(tcp=True)
        done = run("--config", "/dev/null", "--socket", "none", "--listen", tcp.tcp)
        self.assertEqual(done.returncode, 1)
        self.assertIn("somebody listens there already", done.stderr)

    def test_a_leftover_is_replaced_and_nothing_else(self) -> None:
        path = str(self.daemon.directory / "leftover")
        left = socket.socket(socket.AF_UNIX)
        left.bind(path)
        left.close()
        self.connect(self.start_daemon(socket=path).unix).ping()
        file = self.daemon.directory / "file"
        file.write_text("precious")
        self.assertEqual(run("--config", "/dev/null", "--socket", str(file)).returncode, 1)
        self.assertEqual(file.read_text(), "precious")

    def test_a_daemon_that_hangs_still_owns_its_socket(self) -> None:
        """Even when its line of connections is full."""
        busy = socket.socket(socket.AF_UNIX)
        self.addCleanup(busy.close)
        path = str(self.daemon.directory / "busy")
        busy.bind(path)
        busy.listen(0)
        waiting = []
        try:
            while len(waiting) < 100:
                client = socket.socket(socket.AF_UNIX)
                self.addCleanup(client.close)
                client.setblocking(False)
                waiting.append(client)
                client.connect(path)
        except BlockingIOError:
            pass
        done = run("--config", "/dev/null", "--socket", path)
        self.assertEqual(done.returncode, 1)
        self.assertIn("somebody listens there already", done.stderr)

    def test_impossible_places(self) -> None:
        for place in ("/proc/nowhere/spillway.sock", "/tmp/" + "x" * 200):
            done = run("--config", "/dev/null", "--socket", place)
            self.assertEqual(done.returncode, 1)
            self.assertIn("cannot listen", done.stderr)


class Signals(DaemonTest):
    def test_sigterm_when_idle(self) -> None:
        clients = [self.connect() for _ in range(3)]
        self.assertLess(self.daemon.terminate(), 3)
        self.assertEqual(self.daemon.process.returncode, 0)
        self.assertFalse(Path(self.daemon.socket).exists())
        for client in clients:
            error = client.end_of_stream()
            self.assertEqual(error.status, wire.SHUTTING_DOWN)

    def test_sigterm_with_requests_under_way(self) -> None:
        stop = threading.Event()

        def work(number: int) -> None:
            data = pattern(3 * MIB, number)
            try:
                with Raw(self.daemon.unix) as client:
                    while not stop.is_set():
                        client.put(f"w{number}", data, group=1)
                        self.assertEqual(client.get(f"w{number}"), data)
            except (Gone, Refused, OSError):
                pass

        stuck = self.connect(window=1000)
        stuck.put("w", pattern(MIB))
        for _ in range(30):
            stuck.start_get("w")
        stuck.start_put(stuck.describe("half", "U8", (1000,)), b"x")
        self.connect(hello=False)
        workers = [threading.Thread(target=work, args=(i,)) for i in range(3)]
        for worker in workers:
            worker.start()
        time.sleep(0.5)
        took = self.daemon.terminate()
        stop.set()
        for worker in workers:
            worker.join()
        self.assertEqual(self.daemon.process.returncode, 0, self.daemon.log())
        self.assertLess(took, 3)
        self.assertFalse(Path(self.daemon.socket).exists())

    def test_what_is_under_way_may_end(self) -> None:
        """A put that goes on after SIGTERM is finished, answered, and only then is the connection closed."""
        client = self.connect()
        request = client.start_put(client.describe("w", "U8", (2 * MIB,)))
        client.send_data(request, bytes(MIB))
        self.daemon.process.send_signal(signal.SIGTERM)
        self.assert_refused(wire.SHUTTING_DOWN, client.answer, request)
        client.send(wire.DATA, request, b"", bytes(MIB))
        self.assertEqual(client.answer(request).type, wire.PUT_DONE)
        self.daemon.process.wait(10)
        with self.assertRaises((ConnectionError, FileNotFoundError)):
            Raw(self.daemon.unix, hello=False).close()

    def test_sigint_ends_too_and_twice_is_once(self) -> None:
        self.connect().start_put(Raw.describe("half", "U8", (1000,)), b"x")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
            self.daemon.process.send_signal(number)
            time.sleep(0.1)
        self.daemon.process.wait(10)
        self.assertEqual(self.daemon.process.returncode, 0)


class Log(DaemonTest):
    flags = ("--log-level", "debug")

    PAIR = re.compile(rb'([a-z_]+)=("(?:[^"\\\n]|\\.)*"|[^ "=\n]*)')

    def parsed(self) -> list[dict[bytes, bytes]]:
        lines = []
        for line in self.daemon.log().splitlines():
            pairs = self.PAIR.findall(line)
            self.assertEqual(b" ".join(key + b"=" + value for key, value in pairs), line, "not logfmt")
            lines.append(dict(pairs))
        return lines

    def test_every_line_is_logfmt(self) -> None:
        self.connect(client="prog 1.0 (x=y)").bye()
        self.connect(hello=False).socket.sendall(b"garbage" * 10)
        until("lines", lambda: len(self.parsed()) >= 4)
        for line in self.parsed():
            self.assertRegex(line[b"time"], rb"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            self.assertIn(line[b"level"], (b"debug", b"info", b"warning", b"error"))
            self.assertIn(b"msg", line)

    def test_hostile_names_forge_no_line(self) -> None:
        forged = 'x" level=error msg=forged\ntime=now level=error msg="forged'
        self.connect(client=forged + "\x07\x1b[31m\\\r").ping()
        until("the line", lambda: b"session opened" in self.daemon.log())
        time.sleep(0.1)
        lines = self.parsed()
        self.assertFalse([line for line in lines if line[b"level"] == b"error" or line[b"msg"] == b"forged"])
        log = self.daemon.log()
        for byte in (b"\x07", b"\x1b", b"\r"):
            self.assertNotIn(byte, log)
        self.connect(client="l" * 60_000).ping()
        self.parsed()


if __name__ == "__main__":
    main()
