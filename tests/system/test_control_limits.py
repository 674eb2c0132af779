"""What the control plane does with clients that are many, slow, gone or hostile, and how it ends."""

from __future__ import annotations

import os
import socket
import threading
import time

import grpc
import policy_pb2
from control_case import ControlTest
from grpc import StatusCode
from harness import SANITIZE, main, until

WATCHERS = 1000
MESSAGE_CAP = 1 << 20


def wide_set(count: int, note: str) -> list[policy_pb2.Policy]:
    """Policies whose set takes some 250 bytes each."""
    name = policy_pb2.Selector(name=note * 200)
    return [policy_pb2.Policy(name=f"p{i}", format="sfp-1-4-2", selector=name) for i in range(count)]


def settled_rss(test: ControlTest) -> int:
    """Resident memory once the arena is faulted in, which a first put starts."""
    with test.connect() as client:
        client.put("first", bytes(1 << 20), "U8")
        client.bye()
    return test.daemon.settled_rss()


class Hostile(ControlTest):
    flags = ("--control-listen", "tcp:0")

    def assert_alive(self) -> None:
        self.assertTrue(self.control().call("Statistics.Get").counters)

    def test_unknown_methods(self) -> None:
        channel = self.control()
        for path in ("/spillway.v1.Objects/Nope", "/spillway.v1.Nope/List", "/x", "/", "/a/b/c", "/" + "x" * 4000):
            self.assert_fails(StatusCode.UNIMPLEMENTED, "UNSUPPORTED", channel.raw, path, b"", says="reflection")

    def test_garbage(self) -> None:
        channel = self.control()
        garbage = (b"\xff", b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x05ab", os.urandom(4096), b"\x0a" * 4096)
        for path in ("/spillway.v1.Objects/Stat", "/spillway.v1.Policies/Push", "/spillway.v1.Runs/Report"):
            for message in garbage:
                self.assert_fails(StatusCode.INVALID_ARGUMENT, "INVALID", channel.raw, path, message, says="is no")

    def test_a_nul_within_a_message_within(self) -> None:
        channel = self.control()
        policy = policy_pb2.Policy(name="x\0y", format="raw")
        self.assert_fails(StatusCode.INVALID_ARGUMENT, "INVALID", channel.push, "default", policy)

    def test_messages_beyond_the_cap(self) -> None:
        channel = self.control()
        with self.assertRaises(grpc.RpcError) as caught:
            channel.raw("/spillway.v1.Objects/Stat", bytes(MESSAGE_CAP + 1))
        self.assertEqual(caught.exception.code(), StatusCode.RESOURCE_EXHAUSTED)
        self.assert_alive()

    def test_an_answer_beyond_the_cap(self) -> None:
        channel = self.control()
        for i in range(24):
            channel.push(f"s{i}", *wide_set(240, "a"))
        self.assert_fails(
            StatusCode.RESOURCE_EXHAUSTED, "FULL", channel.call, "Policies.List", says="one space"
        )
        self.assertEqual(len(channel.call("Policies.Get", space="s3").set.policies), 240)

    def test_compressed_messages_are_refused(self) -> None:
        """64 MiB that travel as 64 KiB: refused by their header."""
        before = settled_rss(self)
        call = self.control().channel.unary_unary("/spillway.v1.Objects/Stat")
        with self.assertRaises(grpc.RpcError) as caught:
            call(bytes(64 << 20), timeout=20, compression=grpc.Compression.Gzip)
        self.assertIn(caught.exception.code(), (StatusCode.UNIMPLEMENTED, StatusCode.RESOURCE_EXHAUSTED))
        if not SANITIZE:
            self.assertLess(self.daemon.status("VmRSS") - before, 32 << 20)
        self.assert_alive()

    def test_bytes_that_are_no_http2(self) -> None:
        host, _, port = self.daemon.control_tcp.rpartition(":")
        for hello in (b"", b"GET / HTTP/1.1\r\n\r\n", os.urandom(1000), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 500):
            with socket.create_connection((host, int(port)), timeout=10) as peer:
                peer.sendall(hello)
        self.assert_alive()

    def test_a_deadline_that_has_passed(self) -> None:
        with self.assertRaises(grpc.RpcError) as caught:
            self.control().call("Statistics.Get", timeout=0)
        self.assertEqual(caught.exception.code(), StatusCode.DEADLINE_EXCEEDED)

    def test_a_stream_ends_at_its_deadline(self) -> None:
        stream = self.control().watch("Policies.Watch", space="default", timeout=1)
        next(stream)
        began = time.monotonic()
        with self.assertRaises(grpc.RpcError) as caught:
            next(stream)
        self.assertEqual(caught.exception.code(), StatusCode.DEADLINE_EXCEEDED)
        self.assertLess(time.monotonic() - began, 10)

    def test_clients_that_vanish(self) -> None:
        for _ in range(20):
            channel = self.control()
            stream = channel.watch("Policies.Watch", space="default")
            next(stream)
            channel.close()
        self.assert_alive()


class Watchers(ControlTest):
    flags = ("--set", f"control_watchers={WATCHERS}")

    def open(self, count: int, channels: int = 4) -> list:
        opened = [self.control() for _ in range(channels)]
        return [opened[i % channels].watch("Policies.Watch", space="default") for i in range(count)]

    def test_a_thousand_and_one(self) -> None:
        streams = self.open(WATCHERS)
        self.assertEqual({next(s).set.version for s in streams}, {0})
        channel = self.control()
        self.assert_fails(
            StatusCode.RESOURCE_EXHAUSTED,
            "FULL",
            next,
            channel.watch("Policies.Watch", space="default"),
            says="control_watchers",
        )
        version = channel.push()
        self.assertEqual({next(s).set.version for s in streams}, {version})
        # Those that go make room.
        for stream in streams[:10]:
            stream.cancel()

        def fits() -> bool:
            again = channel.watch("Policies.Watch", space="default")
            try:
                return next(again).set.version == version
            except grpc.RpcError:
                return False

        until("there is room", fits)
        self.assertLess(self.daemon.terminate(), 30)

    def test_one_that_does_not_read_costs_only_itself(self) -> None:
        """Sets of 60 KB, pushed 300 times: 18 MB that are not kept for one who does not take them."""
        lazy = self.control(**{"grpc.http2.lookahead_bytes": 65535, "grpc.http2.bdp_probe": 0})
        stalled = lazy.watch("Policies.Watch", space="default")
        eager = self.control().watch("Policies.Watch", space="default")
        self.assertEqual(next(eager).set.version, 0)
        channel = self.control()
        channel.push("default", *wide_set(240, "a"))
        before = settled_rss(self)
        versions = []
        reader = threading.Thread(target=lambda: versions.extend(self.read_until(eager, 300)))
        reader.start()
        for i in range(299):
            version = channel.push("default", *wide_set(240, "ab"[i % 2]))
        self.assertEqual(version, 300)
        reader.join(60)
        self.assertEqual(versions[-1], 300)
        if not SANITIZE:
            self.assertLess(self.daemon.status("VmRSS") - before, 16 << 20)
        # What it missed is gone, but not the last.
        missed = self.read_until(stalled, 300)
        self.assertEqual(missed[-1], 300)
        self.assertLess(len(missed), 290)

    @staticmethod
    def read_until(stream, version: int) -> list[int]:
        seen = []
        for message in stream:
            seen.append(message.set.version)
            if seen[-1] == version:
                stream.cancel()
                return seen
        return seen


class Shutdown(ControlTest):
    def test_with_calls_under_way(self) -> None:
        """Calls from many threads, streams, and one that never sends its request, while the daemon is told to end."""
        stop = threading.Event()
        wrong: list[BaseException] = []

        def work(name: str) -> None:
            channel = self.control()
            while not stop.is_set():
                try:
                    channel.call(name, timeout=10)
                except grpc.RpcError as error:
                    if error.code() not in (StatusCode.UNAVAILABLE, StatusCode.CANCELLED):
                        wrong.append(error)
                    return

        names = ["Statistics.Get", "Objects.List", "Objects.ListGroups", "Policies.List", "Runs.List"]
        threads = [threading.Thread(target=work, args=(name,)) for name in names]
        stream = self.control().watch("Policies.Watch", space="default")
        next(stream)
        silent = self.control().channel.stream_unary("/spillway.v1.Objects/List")
        silent_call = silent.future((time.sleep(5) or b"" for _ in range(1)), timeout=30)
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        self.assertLess(self.daemon.terminate(), 10)
        stop.set()
        for thread in threads:
            thread.join(20)
        self.assertFalse(wrong)
        self.assert_fails(StatusCode.UNAVAILABLE, "SHUTTING_DOWN", next, stream)
        self.assertIsNotNone(silent_call.exception())
        self.assertIn(b"msg=stopped", self.daemon.log())

    def test_again_on_the_same_sockets(self) -> None:
        socket_path = self.daemon.socket
        self.daemon.kill()
        again = self.start_daemon(socket=socket_path)
        self.assertTrue(self.control(again.control).call("Statistics.Get").counters)


if __name__ == "__main__":
    main()
