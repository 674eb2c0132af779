"""Bounded: what the configuration allows is never exceeded, whatever clients do, and comes back when they are done."""

import os
import subprocess
import time

import spillway_pb2 as pb
import wire
from harness import SANITIZE, DaemonTest, main, pattern
from raw import Raw, Refused

MIB = 1 << 20

# An answer is given at once, unless a sanitizer slows everybody down.
PROMPT_S = 1.0 if not SANITIZE else 5.0


class Full(DaemonTest):
    memory = "32M"
    flags = ("--staging", "4M")

    def fill(self, client: Raw) -> list[str]:
        """Puts until the store is full. Returns what is in it."""
        names: list[str] = []
        data = pattern(MIB)
        with self.assertRaises(Refused) as caught:
            while len(names) < 64:
                client.put(f"fill{len(names)}", data, group=1)
                names.append(f"fill{len(names)}")
        self.assertEqual(caught.exception.status, wire.FULL, caught.exception.text)
        return names

    def test_full_is_an_answer_and_loses_nothing(self) -> None:
        client = self.connect()
        names = self.fill(client)
        self.assertGreater(len(names), 20)
        stats = client.stats()
        self.assertLessEqual(stats["ram_used_bytes"], stats["ram_cap_bytes"])
        self.assertEqual(stats["puts_full"], 1)
        for name in names:
            self.assertEqual(client.get(name), pattern(MIB))
        client.free(*names[:3])
        for name in names[:2]:
            client.put(name, pattern(MIB, 2), group=1)
            self.assertEqual(client.get(name), pattern(MIB, 2))
        client.free_group(1)
        self.assert_idle()

    def test_full_in_the_middle_frees_what_was_placed(self) -> None:
        client = self.connect()
        client.put("w", b"the old one")
        before = client.stats()
        for _ in range(3):
            self.assert_refused(wire.FULL, client.put, "w", pattern(40 * MIB))
        self.await_stats(
            ram_used_bytes=before["ram_used_bytes"],
            ram_content_bytes=before["ram_content_bytes"],
            staging_used_bytes=0,
            store_unpublished_objects=0,
        )
        self.assertEqual(client.get("w"), b"the old one")
        client.put("fits", pattern(20 * MIB))
        self.assertEqual(client.get("fits"), pattern(20 * MIB))

    def test_a_replacement_may_not_fit_beside_what_it_replaces(self) -> None:
        client = self.connect()
        client.put("w", pattern(16 * MIB))
        self.assert_refused(wire.FULL, client.put, "w", pattern(16 * MIB, 2))
        self.assertEqual(client.get("w"), pattern(16 * MIB))

    def test_memory_is_counted_to_the_byte(self) -> None:
        """Objects of many sizes, put and freed in a strange order, leave nothing behind."""
        client = self.connect()
        sizes = [1, 100, 4095, 4096, 4097, 8192, 8193, 65_536, 300_000, MIB]
        for turn in range(3):
            for i, size in enumerate(sizes * 3):
                client.put(f"o{i}", pattern(size, turn), group=turn + 1)
            client.free(*[f"o{i}" for i in range(turn, 30, 2)])
        for turn in range(3):
            client.free_group(turn + 1)
        self.assert_idle()


class Quota(DaemonTest):
    flags = ("--quota", "4M")

    def test_quota_is_per_space(self) -> None:
        client = self.connect()
        for i in range(3):
            client.put(f"o{i}", pattern(MIB), space="a")
        self.assert_refused(wire.QUOTA, client.put, "more", pattern(2 * MIB), space="a")
        client.put("more", pattern(2 * MIB), space="b")
        self.assertEqual(client.get("o0", space="a"), pattern(MIB))
        client.put("o0", pattern(1000), space="a")  # a smaller one makes room
        client.put("more", pattern(MIB), space="a")
        spaces = client.ask(wire.LIST, pb.List()).message.spaces
        self.assertEqual([(s.space, s.quota_bytes) for s in spaces], [("a", 4 * MIB), ("b", 4 * MIB)])
        for space in spaces:
            self.assertLessEqual(space.stored_bytes, space.quota_bytes)

    def test_quota_of_a_space_of_its_own(self) -> None:
        config = self.daemon.directory / "conf"
        config.write_text('space "small" { quota = "1M" }\n')
        daemon = self.start_daemon("--config", str(config))
        client = self.connect(daemon.unix)
        self.assert_refused(wire.QUOTA, client.put, "w", pattern(2 * MIB), space="small")
        client.put("w", pattern(2 * MIB), space="other")


class Claims(DaemonTest):
    def assert_grown_little(self, rss: int) -> None:
        if not SANITIZE:  # whose allocators touch what they hand out
            self.assertLess(self.daemon.settled_rss() - rss, 8 * MIB)

    def test_announcing_much_takes_nothing(self) -> None:
        client = self.connect()
        client.put("here", pattern(1000))
        rss, before = self.daemon.settled_rss(), client.stats()
        requests = [
            client.start_put(client.describe(f"c{i}", "F32", (1 << 36,)), bytes(400)) for i in range(4)
        ]  # 2^38 bytes each: as zeros they might fit
        client.ping()
        now = client.stats()
        self.assertEqual(now["ram_used_bytes"], before["ram_used_bytes"])
        self.assertLessEqual(now["staging_used_bytes"], 4 * (512 << 10))
        self.assert_grown_little(rss)
        began = time.monotonic()
        for request in requests:
            client.send(wire.CANCEL, request)
            self.assert_refused(wire.CANCELLED, client.answer, request)
        client.ping()
        self.assertLess(time.monotonic() - began, PROMPT_S)
        self.assert_refused(wire.INVALID, client.put, "c", b"", "F32", (1 << 55,))
        self.assert_refused(wire.TOO_LARGE, client.put, "c", b"", "F32", (1 << 44,))
        self.assert_grown_little(rss)
        self.await_stats(store_unpublished_objects=0, staging_used_bytes=0)

    def test_questions_without_reading_the_answers(self) -> None:
        daemon = self.start_daemon("--set", "stall_timeout=2s")
        client = self.connect(daemon.unix)
        for i in range(24):
            client.put("n" * 1000 + str(i))
        rss = daemon.settled_rss()
        asked = 0
        client.socket.settimeout(0.5)
        page = pb.List(space="default").SerializeToString()
        frame = wire.header(wire.LIST, 1, page, b"", False) + page
        try:
            for asked in range(100_000):
                client.socket.sendall(frame)
        except TimeoutError:
            pass  # the server has stopped listening to us
        self.assertLess(asked, 99_999)
        self.assertLess(daemon.settled_rss() - rss, 16 * MIB)
        with self.connect(daemon.unix) as other:
            other.ping()
            time.sleep(2.5)
            self.assertEqual(other.stats()["stalled_connections"], 1)

    def test_many_answers_reach_who_reads_late(self) -> None:
        client = self.connect()
        for i in range(24):
            client.put("n" * 1000 + str(i))
        page = pb.List(space="default").SerializeToString()
        frames = b"".join(wire.header(wire.LIST, i, page, b"", False) + page for i in range(1000, 1200))
        client.socket.sendall(frames)
        for i in range(1000, 1200):
            self.assertEqual(len(client.answer(i).message.objects), 24)


class Staging(DaemonTest):
    memory = "32M"
    flags = ("--staging", "4M", "--grace", "1s")  # 8 buffers, 6 of them at most for puts

    def half_put(self, client: Raw, name: str, **fields) -> int:
        return client.start_put(client.describe(name, "U8", (1000,), group=1, **fields), b"x")

    def hold_the_share_of_puts(self) -> list[tuple[Raw, int]]:
        """Six puts that stop half-way."""
        clients = [self.connect() for _ in range(2)]
        held = [(client, self.half_put(client, f"half{i}")) for i, client in enumerate(clients * 3)]
        for client in clients:
            client.ping()
        return held

    def test_fetches_move_while_puts_hold_all_they_may(self) -> None:
        reader = self.connect()
        reader.put("w", pattern(4 * MIB))
        self.hold_the_share_of_puts()
        self.assertEqual(reader.get("w"), pattern(4 * MIB))

    def test_a_full_line_is_answered_with_retry(self) -> None:
        held = self.hold_the_share_of_puts()
        waiting = []
        for i in range(64):
            client = self.connect()
            waiting.append((client, self.half_put(client, f"waits{i}")))
        self.await_stats(staging_waiting=64)
        late = self.connect()
        refused = self.assert_refused(wire.RETRY, late.put, "late", b"x")
        self.assertGreater(refused.retry_after_ms, 0)
        for client, request in held:
            client.send_data(request, bytes(999))
            client.answer(request)
        for client, request in waiting[:32]:
            client.close()
        for client, request in waiting[32:]:
            client.send_data(request, bytes(999))
            self.assertEqual(client.answer(request).type, wire.PUT_DONE)
        late.put("late", b"x", group=1)
        late.free_group(1)
        self.await_stats(staging_waiting=0, staging_used_bytes=0, store_unpublished_objects=0)

    def test_waiting_in_line_has_a_deadline(self) -> None:
        """The connection is not read meanwhile; what had come behind the put counts all the same."""
        reader = self.connect(window=0)
        reader.put("w", pattern(100))
        self.hold_the_share_of_puts()
        open_get = reader.start_get("w")
        put = reader.new_request()
        message = reader.describe("late", "U8", (1000,), deadline_ms=500).SerializeToString()
        # In one piece, so that the server has read the CANCEL when it ends the put.
        reader.socket.sendall(
            wire.header(wire.PUT, put, message, b"x", False)
            + message
            + b"x"
            + wire.header(wire.CANCEL, open_get, b"", b"", False)
        )
        self.assert_refused(wire.TIMEOUT, reader.answer, put)
        self.assert_refused(wire.CANCELLED, reader.answer, open_get)
        reader.ping()


    def test_puts_of_one_connection_do_not_lock_each_other_out(self) -> None:
        """Six connections hold all that puts may, and each begins two more puts before the first one's last bytes."""
        clients = [self.connect() for _ in range(6)]
        first = [self.half_put(client, f"first{i}") for i, client in enumerate(clients)]
        for client in clients:
            client.ping()
        more = [
            [client.start_put(client.describe(f"more{i}.{k}", "U8", (1000,), group=1), bytes(1000)) for k in range(2)]
            for i, client in enumerate(clients)
        ]
        for client, request in zip(clients, first, strict=True):
            client.send(wire.DATA, request, b"", bytes(999))
        began = time.monotonic()
        for client, request, others in zip(clients, first, more, strict=True):
            for each in (request, *others):
                self.assertEqual(client.answer(each).type, wire.PUT_DONE)
        self.assertLess(time.monotonic() - began, PROMPT_S)
        clients[0].bye()
        self.await_stats(staging_waiting=0, staging_used_bytes=0, store_unpublished_objects=0)

    def test_half_puts_beside_half_puts(self) -> None:
        """Four open puts on each of eight connections, byte by byte: more than there is staging for, and all end."""
        clients = [self.connect() for _ in range(8)]
        held = []
        for i, client in enumerate(clients):
            for k in range(4):
                put = client.describe(f"half{i}.{k}", "U8", (1000,), group=1)
                held.append((client, client.start_put(put, b"x" if i < 6 else b"")))
        for client, request in held[24:]:
            client.send_data(request, b"x")
        for size in (1, 998):
            for client, request in reversed(held):
                client.send_data(request, bytes(size))
        for client, request in held:
            self.assertEqual(client.answer(request).type, wire.PUT_DONE)


class ManyWriters(DaemonTest):
    """libspillway's own way of putting: several large tensors at once from each of many trainers."""

    memory = "256M"
    flags = ("--staging", "8M")

    def test_asynchronous_puts_of_many_clients(self) -> None:
        ran = subprocess.run(
            [os.environ["MANY_PUTS"], self.daemon.unix, "14", "3", str(3 * MIB)], capture_output=True, timeout=240
        )
        self.assertEqual(ran.returncode, 0, ran.stdout.decode() + ran.stderr.decode())
        stats = self.await_stats(staging_used_bytes=0, store_unpublished_objects=0)
        self.assertEqual((stats["puts"], stats["puts_failed"], stats["puts_retry"]), (42, 0, 0))


class SlowWriters(DaemonTest):
    flags = ("--set", "stall_timeout=1s", "--staging", "4M")
    memory = "32M"

    def test_a_put_whose_bytes_stop_coming_ends(self) -> None:
        """Whatever deadline it named: it holds staging memory."""
        client, other = self.connect(), self.connect()
        requests = [
            client.start_put(client.describe(f"p{i}", "U8", (MIB,), deadline_ms=3_600_000), bytes(1000 * i))
            for i in range(4)
        ]
        began = time.monotonic()
        for request in requests:
            self.assert_refused(wire.TIMEOUT, client.answer, request)
        self.assertGreater(time.monotonic() - began, 0.9)
        client.put("p0", pattern(MIB))
        self.assertEqual(other.get("p0"), pattern(MIB))
        self.await_stats(store_unpublished_objects=0, staging_used_bytes=0)

    def test_puts_that_fill_staging_and_stop_make_way(self) -> None:
        """However many puts wait behind them: what a client does not send is not the wait of an honest one."""
        clients = [self.connect() for _ in range(2)]
        for k in range(4):
            for i, client in enumerate(clients):
                put = client.describe(f"h{i}.{k}", "U8", (1000,), deadline_ms=3_600_000)
                client.start_put(put, b"x")
                if k < 3:
                    client.ping()
        began = time.monotonic()
        self.connect().put("honest", b"x")
        self.assertLess(time.monotonic() - began, 1 + 2 * PROMPT_S)
        self.await_stats(store_unpublished_objects=0, staging_used_bytes=0)

    def test_a_put_whose_client_reads_no_answers_ends(self) -> None:
        """It reads now and then, so that it lives, but never enough for the server to look at what it sends."""
        client, other = self.connect(), self.connect()
        for i in range(24):
            other.put("n" * 1000 + str(i))
        client.start_put(client.describe("held", "U8", (1000,), deadline_ms=3_600_000), b"x")
        page = pb.List(space="default").SerializeToString()
        for request in range(1000, 1110):
            client.send(wire.LIST, request, page)
        began, read = time.monotonic(), 0
        while other.stats()["store_unpublished_objects"] and time.monotonic() - began < 6:
            read += len(client.socket.recv(32_768))
            time.sleep(0.1)
        self.assertLess(time.monotonic() - began, 4)
        self.assertEqual(other.stats()["stalled_connections"], 0)

    def test_no_deadline_is_longer_than_the_server_allows(self) -> None:
        daemon = self.start_daemon("--set", "max_request_timeout=600ms", "--set", "request_timeout=400ms")
        client = self.connect(daemon.unix)
        request = client.start_put(client.describe("drips", "U8", (1000,), deadline_ms=3_600_000), b"x")
        began = time.monotonic()
        while not client.ended(request) and time.monotonic() - began < 5:
            client.send_data(request, b"y")
            client.ping()
            time.sleep(0.05)
        self.assert_refused(wire.TIMEOUT, client.answer, request)
        self.assertGreater(time.monotonic() - began, 0.5)
        self.assertLess(time.monotonic() - began, 0.6 + PROMPT_S)

    def test_a_put_right_after_connecting_has_its_time(self) -> None:
        for _ in range(5):
            client = self.connect()
            request = client.start_put(client.describe("w", "U8", (10,)))
            time.sleep(0.3)
            client.send_data(request, bytes(10))
            client.answer(request)

    def test_a_put_may_wait_while_others_of_its_connection_go_on(self) -> None:
        client = self.connect()
        waiting = client.start_put(client.describe("waits", "U8", (10,)), b"x")
        flowing = client.start_put(client.describe("flows", "U8", (30,)))
        for _ in range(30):
            client.send_data(flowing, b"y")
            time.sleep(0.1)
        client.answer(flowing)
        client.send_data(waiting, bytes(9))
        client.answer(waiting)


class Counts(DaemonTest):
    """What takes no bytes of the arena is counted too."""

    memory = "16M"
    flags = ("--staging", "4M", "--set", "max_connections=8", "--grace", "1h")

    def test_objects_without_bytes(self) -> None:
        client = self.connect()
        client.put("first", b"kept")
        requests = [client.start_put(client.describe(f"o{i}", "U8", (0,), group=1)) for i in range(200)]
        with self.assertRaises(Refused) as caught:
            for i in range(200, 20_000):
                client.answer(requests.pop(0))
                requests.append(client.start_put(client.describe(f"o{i}", "U8", (0,), group=1)))
        self.assertEqual(caught.exception.status, wire.FULL, caught.exception.text)
        self.assertIn("as many objects", caught.exception.text)
        self.assertEqual(client.get("first"), b"kept")
        stats = client.stats()
        self.assertLessEqual(stats["index_used_bytes"], stats["index_cap_bytes"])
        self.assertLessEqual(stats["index_cap_bytes"] + stats["ram_cap_bytes"] + stats["staging_cap_bytes"], 16 * MIB)
        self.assertGreater(client.free_group(1).freed, 1000)
        client.put("again", b"")

    def test_the_index_keeps_to_its_share(self) -> None:
        """The longest names and shapes, each in a group and a space of its own."""
        daemon = self.start_daemon(memory="64M")
        client = self.connect(daemon.unix)
        client.put("first", b"kept")
        rss, requests = daemon.settled_rss(), []
        with self.assertRaises(Refused) as caught:
            for i in range(40_000):
                put = client.describe(f"{i:01015}", "U8", (0,) + (1,) * 63, space=f"{i:064}", group=i + 1)
                requests.append(client.start_put(put))
                if i >= 100:
                    client.answer(requests.pop(0))
        self.assertEqual(caught.exception.status, wire.FULL, caught.exception.text)
        self.assertGreater(client.stats()["store_objects"], 1000)
        if not SANITIZE:  # whose allocators keep and surround what they hand out
            self.assertLess(daemon.settled_rss() - rss, client.stats()["index_cap_bytes"])

    def test_chunks_are_counted_as_they_come(self) -> None:
        """A tensor of zeros takes little of the arena; its chunk table takes of the index."""
        client = self.connect()
        before = client.stats()["index_used_bytes"]
        client.put("zeros", bytes(64 * MIB))
        chunks = client.stat("zeros").chunks
        used = client.stats()["index_used_bytes"] - before
        self.assertGreaterEqual(used, 16 * chunks)
        self.assertLess(used, 16 * chunks + 2048)
        client.free("zeros")
        self.assertEqual(client.stats()["index_used_bytes"], before)

    def test_sessions_left_behind(self) -> None:
        for _ in range(32):
            Raw(self.daemon.unix).close()
        refused = self.assert_refused(wire.RETRY, Raw, self.daemon.unix)
        self.assertGreater(refused.retry_after_ms, 0)

    def test_sessions_that_end_leave_nothing(self) -> None:
        for _ in range(40):
            Raw(self.daemon.unix).bye()
        self.assertEqual(self.stats()["sessions"], 41)


class SlowReaders(DaemonTest):
    """Clients that ask for much and take nothing."""

    flags = ("--set", "stall_timeout=2s")

    def setUp(self) -> None:
        super().setUp()
        self.owner = self.connect()
        for i in range(12):
            self.owner.put(f"w{i}", pattern(MIB, i))

    def assert_others_undisturbed(self) -> None:
        other = self.connect()
        for i in range(4):
            began = time.monotonic()
            self.assertEqual(other.get(f"w{i}"), pattern(MIB, i))
            other.put("mine", pattern(MIB), group=1)
            other.ping()
            self.assertLess(time.monotonic() - began, PROMPT_S)
        other.bye()

    def assert_cut_off_in_the_end(self) -> None:
        self.await_stats(10, stalled_connections=1, staging_used_bytes=0, staging_waiting=0)
        self.assert_others_undisturbed()

    def ask_for_everything(self, client: Raw) -> None:
        for turn in range(20):
            for i in range(12):
                client.start_get(f"w{i}", length=0 if turn % 2 else 30_000)

    def test_never_reads(self) -> None:
        client = self.connect(window=1 << 40)
        self.ask_for_everything(client)
        self.assert_others_undisturbed()
        self.assert_cut_off_in_the_end()

    def test_gives_no_credit(self) -> None:
        """Nothing is held for a client that has no room; what it asked for ends at its deadline."""
        client = self.connect(window=0)
        requests = [client.start_get(f"w{i % 12}", deadline_ms=1500) for i in range(200)]
        self.assert_others_undisturbed()
        self.await_stats(staging_used_bytes=0, staging_waiting=0)
        for request in requests:
            self.assert_refused(wire.TIMEOUT, client.answer, request)
        client.give_credit(1 << 40)
        self.assertEqual(client.get("w3"), pattern(MIB, 3))

    def test_gives_a_little_credit_and_no_more(self) -> None:
        client = self.connect(window=100_000)
        client.returns_credit = False
        self.ask_for_everything(client)
        self.assert_others_undisturbed()
        self.assert_cut_off_in_the_end()

    def test_talks_but_does_not_read(self) -> None:
        client = self.connect(window=1 << 40)
        self.ask_for_everything(client)
        client.socket.settimeout(0.2)
        end = time.monotonic() + 6
        try:
            while time.monotonic() < end:
                client.socket.sendall(wire.header(wire.PING, 9999, b"", b"", False))
                client.give_credit(1)
                time.sleep(0.1)
        except (TimeoutError, OSError):
            pass
        self.assert_cut_off_in_the_end()

    def test_reads_slowly_and_is_served(self) -> None:
        """Slow is not stalled: as long as bytes are taken, the connection lives."""
        client = self.connect(window=64 << 10)
        request = client.start_get("w5")
        client.returns_credit = False
        frame = client.answer(request)
        parts, wanted = [frame.body], frame.message.body_bytes
        while sum(map(len, parts)) < wanted:
            time.sleep(0.15)
            client.give_credit(48 << 10)
            parts.append(client.answer(request).body)
        self.assertEqual(b"".join(parts), pattern(MIB, 5))


if __name__ == "__main__":
    main()
