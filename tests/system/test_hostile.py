"""Peers that send garbage, lie, or stop half-way: each gets its own answer, and everybody else is served."""

import os
import socket
import struct
import subprocess

import spillway_pb2 as pb
import wire
from harness import SANITIZE, DaemonTest, main, pattern, until
from raw import Gone, Raw

MIB = 1 << 20


class HostileTest(DaemonTest):
    flags = ("--set", "request_timeout=10s")
    tcp = True

    def setUp(self) -> None:
        super().setUp()
        self.honest = self.connect()
        self.honest.put("kept", b"nothing stored is lost")

    def tearDown(self) -> None:
        self.assertEqual(self.honest.get("kept"), b"nothing stored is lost")

    def assert_cut_off(self, client: Raw, says: str, status: int = wire.PROTOCOL) -> None:
        """The connection ends, and its last word says why."""
        error = client.end_of_stream()
        self.assertIsNotNone(error, "no ERROR came before the end of the stream")
        self.assertEqual(error.status, status, error.text)
        self.assertIn(says, error.text)


class Frames(HostileTest):
    """What breaks the rules of a frame's header ends the connection."""

    def both(self):
        for endpoint in (self.daemon.unix, self.daemon.tcp):
            yield endpoint, self.connect(endpoint)

    def test_garbage_instead_of_hello(self) -> None:
        for endpoint in (self.daemon.unix, self.daemon.tcp):
            with self.subTest(endpoint):
                client = self.connect(endpoint, hello=False)
                client.socket.sendall(b"GET / HTTP/1.1\r\nHost: spillway\r\n\r\n")
                self.assert_cut_off(client, "no frame")

    def test_headers_that_lie(self) -> None:
        for lie, status, says in (
            ({"magic": b"XX"}, wire.PROTOCOL, "no frame"),
            ({"version": 0}, wire.VERSION, "header is of an unknown version"),
            ({"version": 2}, wire.VERSION, "header is of an unknown version"),
            ({"type": 0}, wire.PROTOCOL, "unknown type"),
            ({"type": 35}, wire.PROTOCOL, "unknown type"),
            ({"type": 255}, wire.PROTOCOL, "unknown type"),
            ({"type": wire.WELCOME}, wire.PROTOCOL, "a client sends no"),
            ({"type": wire.PUT_DONE}, wire.PROTOCOL, "a client sends no"),
            ({"flags": 2}, wire.PROTOCOL, "flags"),
            ({"flags": 0x8000}, wire.PROTOCOL, "flags"),
            ({"reserved": 1}, wire.PROTOCOL, "have to be 0"),
            ({"reserved2": 1}, wire.PROTOCOL, "have to be 0"),
            ({"message_bytes": wire.MAX_MESSAGE + 1}, wire.TOO_LARGE, "message has at most 65,536"),
            ({"message_bytes": 0xFFFFFFFF}, wire.TOO_LARGE, "message has at most 65,536"),
            ({"body_bytes": wire.MAX_BODY + 1}, wire.TOO_LARGE, "body has at most 1,048,576"),
            ({"body_bytes": 0xFFFFFFFF}, wire.TOO_LARGE, "body has at most 1,048,576"),
        ):
            for endpoint, client in self.both():
                with self.subTest(lie=lie, endpoint=endpoint):
                    client.send(wire.PING, 7, **lie)
                    self.assert_cut_off(client, says, status)

    def test_frames_out_of_place(self) -> None:
        for kind, request, body, says in (
            (wire.HELLO, 0, b"", "HELLO is sent once"),
            (wire.PING, 5, b"body", "only PUT and DATA"),
            (wire.CREDIT, 5, b"", "CREDIT and BYE"),
            (wire.BYE, 5, b"", "CREDIT and BYE"),
            (wire.CANCEL, 0, b"", "request number 0"),
            (wire.DATA, 0, b"", "request number 0"),
            (wire.PING, 0, b"", "request number 0"),
        ):
            with self.subTest(kind):
                client = self.connect()
                message = pb.Hello(version_max=1, session_secret=bytes(16)) if kind == wire.HELLO else b""
                client.send(kind, request, message, body)
                self.assert_cut_off(client, says)

    def test_requests_before_hello(self) -> None:
        for kind in (wire.PING, wire.STATS, wire.PUT, wire.BYE):
            with self.subTest(kind):
                client = self.connect(hello=False)
                client.send(kind, 1)
                self.assert_cut_off(client, "" if kind == wire.PUT else "the first frame is HELLO")

    def test_random_bytes(self) -> None:
        seed = int.from_bytes(os.urandom(4), "little")
        for i in range(40):
            with self.subTest(f"seed {seed}, round {i}"):
                client = self.connect(self.daemon.unix if i % 2 else self.daemon.tcp)
                noise = pattern(4096, seed + i)
                header = wire.header(1 + noise[0] % 34, noise[1], b"", b"", client.checked, message_bytes=noise[2] * 16)
                try:
                    client.socket.sendall(header + noise)
                    client.socket.shutdown(socket.SHUT_WR)
                except OSError:
                    pass  # it was quicker
                client.end_of_stream()
        self.honest.ping()

    def test_noise_as_messages(self) -> None:
        """A message that does not parse, or does by chance, is answered on its own request."""
        seed = int.from_bytes(os.urandom(4), "little")
        client = self.connect()
        for i in range(300):
            noise = pattern(64, seed + i)
            kind = wire.PUSH_POLICIES + 2 * (noise[0] % 6)
            with self.subTest(f"seed {seed}, round {i}, type {kind}"):
                request = client.new_request()
                client.send(kind, request, noise[1 : 1 + noise[1] % 40])
                frame = client.wait_for(request)
                self.assertIn(frame.type, (wire.ERROR, kind + 1))
        self.honest.ping()

    def test_half_frames(self) -> None:
        """A peer that stops anywhere in a frame, and goes."""
        put = self.honest.describe("half", "U8", (5000,)).SerializeToString()
        frame = wire.header(wire.PUT, 1, put, pattern(5000), False) + put + pattern(5000)
        for cut in (1, 31, 32, 33, 32 + len(put), 33 + len(put), len(frame) - 1):
            with self.subTest(cut):
                client = self.connect()
                client.socket.sendall(frame[:cut])
                client.close()
        self.await_stats(store_unpublished_objects=0, staging_used_bytes=0)
        self.assertFalse(self.honest.exists("half"))

    def test_secrets_and_versions(self) -> None:
        for options, status in (
            ({"secret": b"short"}, wire.PROTOCOL),
            ({"secret": bytes(17)}, wire.PROTOCOL),
            ({"secret": b""}, wire.PROTOCOL),
            ({"versions": (2, 9)}, wire.VERSION),
            ({"versions": (0, 0)}, wire.VERSION),
            ({"versions": (9, 2)}, wire.VERSION),
            ({"secret": bytes(range(16)), "resume": True}, wire.SESSION_LOST),
        ):
            with self.subTest(options):
                self.assert_refused(status, self.connect(hello=False).hello, **options)
        self.assertEqual(self.connect(versions=(0, 99)).welcome.version, 1)

    def test_silence_instead_of_hello(self) -> None:
        daemon = self.start_daemon("--set", "stall_timeout=300ms")
        client = self.connect(daemon.unix, hello=False)
        client.end_of_stream()


class Checksums(HostileTest):
    def test_unchecked_over_tcp(self) -> None:
        client = self.connect(self.daemon.tcp)
        client.send(wire.PING, 1, flags=0)
        self.assert_cut_off(client, "carries a checksum")

    def test_wrong_checksum_does_nothing(self) -> None:
        """A damaged frame is not acted upon, whatever it seems to say."""
        free = pb.Free(space="default", names=["kept"])
        empty = self.honest.describe("forged", "U8", (0,))
        group = self.connect()
        group.put("mine", b"x", group=1)
        for kind, message in ((wire.FREE, free), (wire.PUT, empty), (wire.BYE, b""), (wire.PING, b"")):
            with self.subTest(kind):
                client = self.connect(self.daemon.tcp)
                request = 0 if kind == wire.BYE else 1
                client.send(kind, request, message, checksum=12345)
                self.assert_cut_off(client, "checksum does not hold", wire.CORRUPT)
                self.assertEqual(client.early, [], "it was answered")
        self.assertTrue(self.honest.exists("kept"))
        self.assertFalse(self.honest.exists("forged"))

    def test_wrong_checksum_under_a_body(self) -> None:
        data = pattern(3 * MIB)
        for size in (100, 5000, MIB):
            with self.subTest(size):
                client = self.connect(self.daemon.tcp)
                client.send(wire.PUT, 1, client.describe("torn", "U8", (size,)), data[:size], checksum=1)
                self.assert_cut_off(client, "checksum does not hold", wire.CORRUPT)
                self.assertFalse(self.honest.exists("torn"))
        client = self.connect(self.daemon.tcp)
        request = client.start_put(client.describe("torn", "U8", (len(data),)), data[:MIB])
        client.send(wire.DATA, request, b"", data[MIB : 2 * MIB])
        client.send(wire.DATA, request, b"", data[2 * MIB :], checksum=1)
        self.assert_cut_off(client, "checksum does not hold", wire.CORRUPT)
        self.assertFalse(self.honest.exists("torn"))
        self.await_stats(store_unpublished_objects=0, staging_used_bytes=0)

    def test_checked_on_a_unix_socket(self) -> None:
        """Nobody asks for it there, but who sends a checksum gets it checked."""
        client = self.connect()
        client.checked = True
        client.send(wire.PING, 1)
        client.checked = False
        self.assertEqual(client.answer(1).type, wire.PONG)
        client.checked = True
        client.send(wire.PING, 2, checksum=1)
        client.checked = False
        self.assert_cut_off(client, "checksum does not hold", wire.CORRUPT)


class Messages(HostileTest):
    """What breaks the rules of a message ends that request only."""

    def refused_put(self, status: int, says: str, **fields) -> None:
        message = self.honest.describe("x", "F32", (4,))
        for name, value in fields.items():
            if name == "tensor":
                message.tensor.CopyFrom(value)
            else:
                setattr(message, name, value)
        with self.subTest(fields):
            client = self.honest
            request = client.start_put(message, b"ignored body")
            self.assert_refused(status, client.answer, request, says=says)
            client.ping()

    def test_puts_that_contradict_themselves(self) -> None:
        invalid = wire.INVALID
        self.refused_put(invalid, "space", space="")
        self.refused_put(invalid, "space", space="a/b")
        self.refused_put(invalid, "space", space="s" * 65)
        self.refused_put(invalid, "space", space="spa\nce")
        self.refused_put(invalid, "named", name="")
        self.refused_put(invalid, "named", name="n" * 1025)
        self.refused_put(invalid, "named", name="line\nbreak")
        self.refused_put(invalid, "named", name="bell\x07")
        self.refused_put(invalid, "named", name="\x7f")
        self.refused_put(invalid, "kind", kind=5)
        self.refused_put(invalid, "kind", kind=-1)
        self.refused_put(invalid, "dtype", tensor=pb.TensorDesc(dtype=0, shape=[4]))
        self.refused_put(invalid, "dtype", tensor=pb.TensorDesc(dtype=99, shape=[4]))
        self.refused_put(invalid, "dtype", tensor=pb.TensorDesc(dtype=0xFFFFFFFF, shape=[4]))
        self.refused_put(invalid, "64 dimensions", tensor=pb.TensorDesc(dtype=1, shape=[1] * 65))
        self.refused_put(invalid, "64 dimensions", tensor=pb.TensorDesc(dtype=1, shape=[1] * 30_000))
        self.refused_put(invalid, "product", tensor=pb.TensorDesc(dtype=1, shape=[1 << 32, 1 << 32]))
        self.refused_put(invalid, "product", tensor=pb.TensorDesc(dtype=1, shape=[(1 << 64) - 1]))
        self.refused_put(invalid, "product", tensor=pb.TensorDesc(dtype=4, shape=[1 << 61, 8]))
        self.refused_put(invalid, "product", tensor=pb.TensorDesc(dtype=1, shape=[0, 1 << 63, 1 << 63]))
        self.refused_put(invalid, "format", format="zip")
        self.refused_put(invalid, "format", format="sfp-1-4")
        self.refused_put(invalid, "format", format="sfp-2-4-2")
        self.refused_put(invalid, "", format="sfp-1-9-2")
        self.refused_put(invalid, "", format="sfp-1-4-24")
        self.refused_put(invalid, "e_max", format="sfp-1-4-2")
        self.refused_put(invalid, "e_max", format="sfp-1-4-2", e_max=256)
        self.refused_put(invalid, "", format="sfp-1-4-2", e_max=9, tensor=pb.TensorDesc(dtype=20, shape=[4]))
        self.assert_refused(invalid, self.honest.answer, self.honest.start_put(pb.Put(space="s", name="n")))
        self.assertEqual(self.honest.stats()["store_objects"], 1)

    def test_summaries_that_do_not_fit(self) -> None:
        """Ranges of the whole tensor, which some formats need: of the right size, finite, in order."""
        invalid = wire.INVALID
        self.refused_put(invalid, "summary", format="int8")
        self.refused_put(invalid, "summary", format="int8", summary=bytes(7))
        self.refused_put(invalid, "summary", format="int8", summary=bytes(60_000))
        self.refused_put(invalid, "summary", format="lossless", summary=bytes(8))
        self.refused_put(invalid, "summary", format="int8-c", summary=bytes(16))
        self.refused_put(invalid, "range", format="int8", summary=struct.pack("<2f", 1, -1))
        self.refused_put(invalid, "range", format="int8", summary=struct.pack("<2f", 0, float("inf")))
        self.refused_put(invalid, "range", format="e4m3", summary=struct.pack("<2f", float("nan"), 1))
        tall = pb.TensorDesc(dtype=1, shape=[50_000, 4])
        self.refused_put(invalid, "summary", format="int8-c", summary=bytes(8), tensor=tall)
        # Ranges that are not the values' own harm nobody else: values beyond them become their ends.
        message = self.honest.describe("x", "F32", (4,))
        message.format, message.summary = "int8", struct.pack("<2f", 0, 1)
        self.honest.answer(self.honest.start_put(message, struct.pack("<4f", -5, 0, 1, 5)))
        self.assertEqual(struct.unpack("<4f", self.honest.get("x")), (0, 0, 1, 1))
        self.honest.free("x")

    def test_a_name_is_not_cut_at_its_first_zero(self) -> None:
        self.assert_refused(wire.INVALID, self.honest.put, "kept\0", b"another's bytes")

    def test_names_that_are_no_utf8(self) -> None:
        for name in (b"\xff\xfe", b"\xc0\xaf", b"\xed\xa0\x80", b"\xe2\x82", b"\xf4\x90\x80\x80"):
            with self.subTest(name):
                put = self.honest.describe("NAME", "U8", (0,)).SerializeToString()
                put = put.replace(b"\x12\x04NAME", b"\x12" + bytes([len(name)]) + name)
                request = self.honest.start_put(put)
                self.assert_refused(wire.INVALID, self.honest.answer, request)

    def test_messages_that_do_not_parse(self) -> None:
        for kind in (wire.PUT, wire.GET, wire.STAT, wire.LIST, wire.FREE, wire.FREE_GROUP):
            for message in (b"\x0a", b"\x0a\xff\xff\xff\xff\x0f", b"\xff" * 50, b"\x08" * 3 + b"\x80" * 12):
                with self.subTest(kind=kind, message=message):
                    request = self.honest.new_request()
                    self.honest.send(kind, request, message)
                    self.assert_refused(wire.INVALID, self.honest.answer, request)

    def test_messages_that_unpack_large(self) -> None:
        """Tens of thousands of fields in 64 KiB: refused or answered, from memory that is there already."""
        messages = (
            (wire.PUT, b"\x22" + b"\x80\x80\x02" + b"\x10\x01" * (1 << 14)),
            (wire.FREE, b"\x0a\x01s" + b"\x12\x00" * 32_000),
            (wire.GET, b"\x98\x06\x00" * 21_000),
            (wire.LIST, b"\x0a\x01s" * 21_000),
        )

        def send_each(times: int) -> None:
            for kind, message in messages * times:
                request = self.honest.new_request()
                self.honest.send(kind, request, message[: wire.MAX_MESSAGE])
                self.honest.wait_for(request)

        send_each(1)  # touches what of the messages' memory they reach
        before = self.daemon.settled_rss()
        send_each(50)
        # A sanitizer does not use freed memory again for a while.
        self.assertLess(self.daemon.settled_rss() - before, (512 if SANITIZE else 256) << 10)

    def test_absent_things(self) -> None:
        client = self.honest
        self.assert_refused(wire.NOT_FOUND, client.get, "nothing")
        self.assert_refused(wire.NOT_FOUND, client.get, "kept", space="elsewhere")
        self.assert_refused(wire.NOT_FOUND, client.stat, "")
        generation = client.stat("kept").generation
        self.assertEqual(client.get("kept", generation=generation), b"nothing stored is lost")
        self.assert_refused(wire.NOT_FOUND, client.get, "kept", generation=generation + 1)
        self.assertEqual(client.names(space="no such space"), [])
        freed = client.free("nothing", "no\nthing", "")
        self.assertEqual((freed.freed, freed.missing), (0, 3))
        self.assertEqual(client.free_group(77).freed, 0)
        self.assert_refused(wire.INVALID, client.free_group, 0, says="group 0")

    def test_ranges(self) -> None:
        client, size = self.honest, 22
        self.assertEqual(client.get("kept", offset=8, length=6), b"stored")
        self.assertEqual(client.get("kept", offset=size), b"")
        for offset, length in ((size + 1, 0), (0, size + 1), (1, size), (1 << 63, 1 << 63), ((1 << 64) - 1, 1)):
            with self.subTest(offset=offset, length=length):
                self.assert_refused(wire.RANGE, client.get, "kept", offset=offset, length=length)
        self.assert_refused(wire.INVALID, client.get, "kept", offset=1, encoded=True)


class Requests(HostileTest):
    """Rules between frames of a session."""

    def test_one_number_for_two_requests(self) -> None:
        client = self.connect()
        request = client.start_put(client.describe("a", "U8", (10,)), b"half")
        client.send(wire.GET, request, pb.Get(space="default", name="kept"))
        self.assert_cut_off(client, "number is in use")

    def test_more_bytes_than_the_shape_says(self) -> None:
        for first, second in ((11, 0), (5, 6), (0, 11)):
            with self.subTest((first, second)):
                client = self.connect()
                request = client.start_put(client.describe("a", "U8", (10,)), bytes(first))
                if second:
                    client.send(wire.DATA, request, b"", bytes(second))
                self.assert_cut_off(client, "dtype and shape")
        self.assertFalse(self.honest.exists("a"))

    def test_fewer_bytes_and_then_silence(self) -> None:
        client = self.connect()
        for size in (10, MIB, 2 * MIB):
            with self.subTest(size):
                request = client.start_put(client.describe("a", "U8", (size,), deadline_ms=200), bytes(size // 2))
                self.assert_refused(wire.TIMEOUT, client.answer, request)
        client.ping()
        self.await_stats(store_unpublished_objects=0, staging_used_bytes=0)

    def test_data_after_the_end_is_dropped_and_its_credit_returned(self) -> None:
        client = self.connect()
        for request in (4711, client.start_put(client.describe("", "U8", (1,)))):
            for _ in range(12):
                while client.credit < MIB:
                    client.read_ahead()
                client.send(wire.DATA, request, b"", bytes(MIB))
                client.credit -= MIB
        client.ping()
        self.assertGreaterEqual(client.credit + client.welcome.send_window // 4, client.welcome.send_window)

    def test_more_body_than_credit(self) -> None:
        """Who sends on and on, faster than the server encodes."""
        import numpy

        slow = {"SPILLWAY_CPU_DISABLE": "avx512,avx2"}
        daemon = self.start_daemon("--codec-threads", "1", memory="256M", environment=slow)
        client = self.connect(daemon.unix)
        data = numpy.random.default_rng(1).standard_normal(MIB // 4).astype("<f4").tobytes()
        puts = [client.start_put(client.describe(f"a{i}", "F32", (16 * MIB,))) for i in range(4)]
        for i in range(200):
            client.send(wire.DATA, puts[i % 4], b"", data)
        self.assert_cut_off(client, "credit")

    def test_too_many_open_puts(self) -> None:
        client = self.connect()
        most = client.welcome.max_open_puts
        for i in range(most):
            client.start_put(client.describe(f"p{i}", "U8", (2,)), b"x")
        client.ping()
        client.start_put(client.describe("whole", "U8", (1,)), b"x")  # is never open
        client.ping()
        client.start_put(client.describe("more", "U8", (2,)), b"x")
        self.assert_cut_off(client, "max_open_puts")
        self.await_stats(store_unpublished_objects=0, staging_used_bytes=0)

    def test_too_many_requests(self) -> None:
        client = self.connect(window=0)
        for _ in range(client.welcome.max_requests):
            client.start_get("kept")
        client.ping()
        client.start_get("kept")
        self.assert_cut_off(client, "max_requests")

    def test_data_for_a_get(self) -> None:
        client = self.connect(window=0)
        client.send(wire.DATA, client.start_get("kept"), b"", b"x")
        self.assert_cut_off(client, "DATA carries bytes of a put")

    def test_cancel_of_what_is_not_open(self) -> None:
        client = self.connect()
        client.send(wire.CANCEL, 99)
        client.ping()

    def test_credit_without_end(self) -> None:
        client = self.connect()
        for _ in range(4):
            client.give_credit((1 << 64) - 1)
        self.assertEqual(client.get("kept"), b"nothing stored is lost")

    def test_connections_without_end(self) -> None:
        daemon = self.start_daemon("--set", "max_connections=8")
        clients = [self.connect(daemon.unix) for _ in range(8)]
        refused = self.assert_refused(wire.RETRY, self.connect, daemon.unix, says="too many connections")
        self.assertGreater(refused.retry_after_ms, 0)
        clients.pop().bye()

        def admitted() -> bool:
            try:
                with Raw(daemon.unix) as client:
                    client.bye()
                return True
            except Exception:
                return False

        until("there is room again", admitted)

    def test_who_is_turned_away_hears_why(self) -> None:
        """Even when the server has closed before the client's first word: libspillway reads its last one."""
        daemon = self.start_daemon("--set", "max_connections=1")
        self.connect(daemon.unix)
        ran = subprocess.run([os.environ["MANY_CONNECTS"], daemon.unix, "60"], capture_output=True, timeout=120)
        self.assertEqual(ran.returncode, 0, ran.stderr.decode())


if __name__ == "__main__":
    main()
