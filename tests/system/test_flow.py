"""How requests share a connection: ranges, interleaving, credit, deadlines, cancels, replacements under readers."""

import threading
import time

import spillway_pb2 as pb
import wire
from harness import SANITIZE, DaemonTest, main, pattern
from raw import Raw

MIB = 1 << 20


class Ranges(DaemonTest):
    memory = "512M"

    def test_a_range_decodes_only_the_chunks_it_touches(self) -> None:
        import numpy

        values = (64 if not SANITIZE else 4) * MIB
        chunk = 65_536 * 4  # bytes; see CONTAINER.md
        data = numpy.arange(values, dtype="<f4").tobytes()
        client = self.connect()
        client.put("w", data, "F32")
        self.assertEqual(client.stat("w").chunks, len(data) // chunk)
        last = len(data) - 1
        rolls = numpy.random.default_rng(7).integers(0, last, (20, 2))
        ranges = [(0, 1), (last, 1), (chunk - 1, 1), (chunk - 1, 2), (chunk, chunk), (chunk - 1, chunk + 2)]
        ranges += [(5 * chunk, 1), (6 * chunk - 4, 4), (3, 10 * chunk)]
        ranges += [(int(min(a, b)), int(min(abs(a - b) + 1, 40 * chunk))) for a, b in rolls]
        for offset, length in ranges:
            with self.subTest(offset=offset, length=length):
                before = client.stats()["chunks_decoded"]
                self.assertEqual(client.get("w", offset=offset, length=length), data[offset : offset + length])
                touched = (offset + length - 1) // chunk - offset // chunk + 1
                self.assertEqual(client.stats()["chunks_decoded"] - before, touched)
        before = client.stats()["chunks_decoded"]
        self.assertEqual(client.get("w", offset=len(data)), b"")
        self.assertEqual(client.get("w", offset=last), data[last:])
        self.assertEqual(client.stats()["chunks_decoded"] - before, 1)


class Interleaving(DaemonTest):
    memory = "512M"

    def test_small_answers_do_not_wait_behind_a_large_tensor(self) -> None:
        client = self.connect()
        size = (256 if not SANITIZE else 32) * MIB
        client.put("large", bytes(size), "F32")
        client.put("small", b"here")
        large = client.start_get("large")
        client.answer(large)
        for _ in range(5):
            asked = [client.start_get("small"), client.new_request(), client.new_request()]
            client.send(wire.PING, asked[1])
            client.send(wire.STAT, asked[2], pb.Stat(space="default", name="large"))
            bulk = 0
            while asked:
                frame = client.receive()
                if frame.request == large:
                    bulk += len(frame.body)
                elif frame.request in asked:
                    self.assertIn(frame.type, (wire.GET_BEGIN, wire.PONG, wire.STAT_DONE))
                    asked.remove(frame.request)
            self.assertLess(bulk, 8 * MIB)
        client.send(wire.CANCEL, large)
        while client.wait_for(large).type != wire.ERROR:
            pass

    def test_other_requests_pass_a_put_that_is_half_done(self) -> None:
        client = self.connect()
        client.put("small", b"here")
        data = pattern(8 * MIB)
        request = client.start_put(client.describe("large", "U8", (len(data),)))
        for at in range(0, len(data), MIB):
            client.send_data(request, data[at : at + MIB])
            self.assertEqual(client.get("small"), b"here")
            client.ping()
        client.answer(request)
        self.assertEqual(client.get("large"), data)

    def test_puts_and_gets_at_once(self) -> None:
        """Four puts, by turns, frame by frame, while gets of what was put before flow."""
        client = self.connect()
        tensors = [pattern(3 * MIB + 17 * i, i) for i in range(4)]
        for turn in range(3):
            puts = [client.start_put(client.describe(f"t{turn}.{i}", "U8", (len(t),))) for i, t in enumerate(tensors)]
            gets = [client.start_get(f"t{turn - 1}.{i}") for i in range(4)] if turn else []
            for at in range(0, 4 * MIB, 300_000):
                for i, request in enumerate(puts):
                    client.send_data(request, tensors[i][at : at + 300_000])
            for i, request in enumerate(gets):
                self.assertEqual(client.finish_get(request)[1], tensors[i])
            for request in puts:
                self.assertEqual(client.answer(request).type, wire.PUT_DONE)

    def test_a_number_is_free_when_its_last_byte_has_come(self) -> None:
        """The client may use the number of a finished request at once, however busy the server is."""
        for endpoint in (self.daemon.unix, self.start_daemon(tcp=True).tcp):
            client = self.connect(endpoint)
            client.put("w", pattern(40_000))
            client.put("large", pattern(3 * MIB))
            for i in range(400 if SANITIZE else 2000):
                client.send(wire.GET, 1000, pb.Get(space="default", name="large" if i % 50 == 0 else "w"))
                client.finish_get(1000)
            client.ping()

    def test_a_full_set_of_requests_again_and_again(self) -> None:
        client = self.connect()
        client.put("w", b"small")
        most = client.welcome.max_requests
        opened = [client.start_get("w") for _ in range(most)]
        for i in range(5000 if not SANITIZE else 1000):
            self.assertEqual(client.finish_get(opened[i])[1], b"small")
            opened.append(client.start_get("w"))
        for request in opened[-most:]:
            client.finish_get(request)


class Credit(DaemonTest):
    def silence(self, client: Raw) -> None:
        """Nothing but the answer to a PING comes."""
        client.ping()
        time.sleep(0.2)
        client.ping()
        self.assertEqual(client.early, [])

    def test_the_server_sends_no_more_than_its_credit(self) -> None:
        client = self.connect(window=100_000)
        client.returns_credit = False
        client.put("w", pattern(MIB))
        request = client.start_get("w")
        got = b""
        for credit in (0, 1, 0, 262_144, 3, 300_000):
            if credit:
                client.give_credit(credit)
            due = (100_000 if not got else len(got)) + credit
            while len(got) < due:
                got += client.answer(request).body
            self.assertEqual(len(got), due)
            self.silence(client)
        client.give_credit(MIB)
        while len(got) < MIB:
            got += client.answer(request).body
        self.assertEqual(got, pattern(MIB))

    def test_credit_is_shared_by_all_gets(self) -> None:
        client = self.connect(window=50_000)
        client.returns_credit = False
        for i in range(3):
            client.put(f"w{i}", pattern(40_000, i))
        requests = [client.start_get(f"w{i}") for i in range(3)]
        client.ping()
        time.sleep(0.2)
        client.ping()
        self.assertEqual(sum(len(frame.body) for frame in client.early), 50_000)
        client.give_credit(70_000)
        for i, request in enumerate(requests):
            self.assertEqual(client.finish_get(request)[1], pattern(40_000, i))

    def test_empty_answers_need_no_credit(self) -> None:
        client = self.connect(window=0)
        client.put("empty", b"")
        client.put("w", b"x")
        client.start_get("w")
        self.assertEqual(client.get("empty"), b"")
        self.assertEqual(client.get("w", offset=1), b"")

    def test_open_puts_leave_credit_for_a_frame(self) -> None:
        """Whatever is held back of the least window: a client may wait for as much as the largest body."""
        client = self.connect()
        self.assertEqual(client.welcome.send_window, 4 * MIB)
        for i in range(client.welcome.max_open_puts):
            client.start_put(client.describe(f"p{i}", "F64", (MIB,)), bytes(MIB // 2 - 1))
        dropped = client.start_put(client.describe("", "U8", (1,)), bytes(MIB - 1))
        self.assert_refused(wire.INVALID, client.answer, dropped)
        client.ping()
        self.assertGreaterEqual(client.credit, MIB)

    def test_the_clients_credit_comes_back(self) -> None:
        """All but what the server may keep back to spare frames."""
        client = self.connect()
        window = client.welcome.send_window
        for size in (1, 10_000, 3 * MIB, 11 * MIB):
            client.put("w", pattern(size))
        self.assert_refused(wire.INVALID, client.put, "", pattern(MIB))
        request = client.start_put(client.describe("w", "U8", (64 * MIB,)))
        client.send_data(request, bytes(700_000))
        client.send(wire.CANCEL, request)
        self.assert_refused(wire.CANCELLED, client.answer, request)
        client.ping()
        self.assertGreater(client.credit, window - window // 4)
        self.assertLessEqual(client.credit, window)


class Ends(DaemonTest):
    def test_deadlines(self) -> None:
        client = self.connect(window=0)
        client.put("w", b"x")
        began = time.monotonic()
        requests = [client.start_get("w", deadline_ms=300) for _ in range(40)]
        requests += [client.start_put(client.describe("p", "U8", (9,), deadline_ms=300), b"x") for _ in range(2)]
        for request in requests:
            self.assert_refused(wire.TIMEOUT, client.answer, request)
        took = time.monotonic() - began
        self.assertGreater(took, 0.25)
        self.assertLess(took, 5)

    def test_deadline_of_the_configuration(self) -> None:
        client = self.connect(self.start_daemon("--set", "request_timeout=300ms").unix)
        self.assert_refused(wire.TIMEOUT, client.answer, client.start_put(client.describe("p", "U8", (9,))))

    def test_a_deadline_in_time_does_no_harm(self) -> None:
        client = self.connect()
        for _ in range(50):
            client.put("w", pattern(MIB), deadline_ms=60_000)
            client.get("w", deadline_ms=60_000)

    def test_cancel(self) -> None:
        client = self.connect(window=10_000)
        client.returns_credit = False
        client.put("w", pattern(MIB))
        waiting = [client.start_get("w") for _ in range(8)]
        half = client.start_put(client.describe("p", "U8", (MIB,), group=1), bytes(600_000))
        for request in (*waiting[4:], half, waiting[0]):
            client.send(wire.CANCEL, request)
        for request in (*waiting[4:], half):
            self.assert_refused(wire.CANCELLED, client.answer, request)
        while (frame := client.wait_for(waiting[0])).type != wire.ERROR:
            pass  # what had been sent before
        self.assertEqual(frame.message.status, wire.CANCELLED)
        self.assertFalse(client.exists("p"))
        client.returns_credit = True
        client.give_credit(MIB)
        for request in waiting[1:4]:
            self.assertEqual(client.finish_get(request)[1], pattern(MIB))

    def test_cancel_and_answer_cross(self) -> None:
        """Either its own answer or CANCELLED; never both, never none."""
        client = self.connect()
        client.put("w", pattern(20_000))
        for _ in range(300):
            get = client.start_get("w")
            client.send(wire.CANCEL, get)
            put = client.start_put(client.describe("p", "U8", (400_000,)), bytes(400_000))
            client.send(wire.CANCEL, put)
            begin = client.wait_for(get)
            if begin.type == wire.ERROR:
                self.assertEqual(begin.message.status, wire.CANCELLED)
            else:
                self.assertEqual(len(begin.body), 20_000)
            done = client.wait_for(put)
            self.assertIn(done.type, (wire.PUT_DONE, wire.ERROR))
            client.ping()
            self.assertEqual(client.early, [])

    def test_freed_and_replaced_under_a_reader(self) -> None:
        for change in ("free", "replace"):
            with self.subTest(change):
                client, other = self.connect(window=1000), self.connect()
                client.returns_credit = False
                other.put("w", pattern(4 * MIB, 1))
                request = client.start_get("w")
                first = client.answer(request).body
                if change == "free":
                    other.free("w")
                else:
                    other.put("w", b"new")
                self.assertEqual(other.stats()["store_lingering_objects"], 1)
                client.returns_credit = True
                client.give_credit(MIB)
                parts = [first]
                while sum(map(len, parts)) < 4 * MIB:
                    parts.append(client.answer(request).body)
                self.assertEqual(b"".join(parts), pattern(4 * MIB, 1))
                self.await_stats(store_lingering_objects=0)
                other.free("w")
        self.assert_idle()

    def test_readers_see_the_old_tensor_or_the_new_one(self) -> None:
        writer, size = self.connect(), 600_000
        writer.put("w", bytes(size))
        stop, torn = threading.Event(), []

        def read() -> None:
            seen = 0
            with Raw(self.daemon.unix) as client:
                while not stop.is_set():
                    data = client.get("w")
                    if len(set(data)) != 1 or len(data) != size or (data[0] - seen) % 256 > 128:
                        torn.append(data[:16])
                    seen = data[0]

        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
        end, turn, generation = time.monotonic() + 2, 0, 0
        while time.monotonic() < end:
            turn = (turn + 1) % 256
            info = writer.put("w", bytes([turn]) * size)
            self.assertGreater(info.generation, generation)
            generation = info.generation
        stop.set()
        for reader in readers:
            reader.join()
        self.assertEqual(torn, [])


if __name__ == "__main__":
    main()
