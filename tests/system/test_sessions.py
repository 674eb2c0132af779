"""Sessions: what outlives a connection, for how long, and who may have it."""

import os
import time

import spillway_pb2 as pb
import wire
from harness import DaemonTest, main, pattern, until
from raw import Gone


class Sessions(DaemonTest):
    flags = ("--grace", "700ms")
    tcp = True

    def test_groups_live_on_when_the_client_comes_back_in_time(self) -> None:
        daemon = self.start_daemon("--grace", "1h", tcp=True)
        self.assertEqual(self.connect().welcome.grace_ms, 700)
        client = self.connect(daemon.unix)
        self.assertFalse(client.welcome.resumed)
        client.put("mine", b"kept", group=1)
        for endpoint in (daemon.unix, daemon.tcp, daemon.unix):
            client.close()
            time.sleep(0.4)
            client = self.connect(endpoint, secret=client.secret, resume=True)
            self.assertTrue(client.welcome.resumed)
            self.assertEqual(client.get("mine"), b"kept")
        self.assertEqual(client.free_group(1).freed, 1)

    def test_after_the_grace_everything_is_gone(self) -> None:
        client, other = self.connect(), self.connect()
        for i in range(20):
            client.put(f"mine{i}", pattern(1000), group=1 + i % 3)
        client.put("nobody's", b"stays")
        client.close()
        until("the session expires", lambda: not other.exists("mine7"), 5)
        self.assertEqual(other.names(), ["nobody's"])
        self.assert_refused(wire.SESSION_LOST, self.connect, secret=client.secret, resume=True)
        again = self.connect(secret=client.secret)
        self.assertFalse(again.welcome.resumed)
        stats = other.stats()
        self.assertEqual((stats["sessions_expired"], stats["objects_expired"]), (1, 20))
        other.free("nobody's")
        self.assert_idle()

    def test_bye_frees_at_once(self) -> None:
        daemon = self.start_daemon("--grace", "1h")
        client, other = self.connect(daemon.unix), self.connect(daemon.unix)
        client.put("mine", b"x", group=1)
        client.put("nobody's", b"stays")
        client.start_put(client.describe("half", "U8", (100,), group=1), b"x")
        client.bye()
        self.assertEqual(other.names(), ["nobody's"])
        self.assert_refused(wire.SESSION_LOST, self.connect, daemon.unix, secret=client.secret, resume=True)
        self.assertEqual(other.stats()["store_unpublished_objects"], 0)

    def test_a_second_connection_takes_the_session_over(self) -> None:
        """A client may notice a break before the server does."""
        client = self.connect()
        client.put("mine", b"kept", group=1)
        half = client.start_put(client.describe("half", "U8", (100,), group=1), b"x")
        second = self.connect(self.daemon.tcp, secret=client.secret)
        self.assertTrue(second.welcome.resumed)
        with self.assertRaises(Gone):
            while True:
                client.receive()
        self.assertEqual(second.get("mine"), b"kept")
        self.assertEqual(second.welcome.send_window, second.credit)
        self.assertFalse(second.exists("half"))
        second.put("half", b"again", group=1)
        time.sleep(1)  # the first connection's end must not start a grace
        self.assertEqual(second.get("half"), b"again")
        self.assertEqual(second.free_group(1).freed, 2)
        self.assertTrue(half)

    def test_taken_over_again_and_again(self) -> None:
        secret = os.urandom(16)
        client = self.connect(secret=secret)
        client.put("mine", b"kept", group=1)
        for i in range(50):
            client.start_get("mine")
            client.start_put(client.describe(f"half{i}", "U8", (100_000,), group=1), bytes(50_000))
            client = self.connect(self.daemon.tcp if i % 2 else "", secret=secret, resume=True)
        self.assertEqual(client.names(), ["mine"])
        stats = client.stats()
        self.assertEqual((stats["sessions"], stats["sessions_resumed"], stats["sessions_open"]), (1, 50, 1))
        self.await_stats(store_unpublished_objects=0, staging_used_bytes=0)

    def test_groups_of_different_sessions_are_apart(self) -> None:
        one, two = self.connect(), self.connect()
        one.put("one", b"1", group=5)
        two.put("two", b"2", group=5)
        self.assertEqual(two.get("one"), b"1")  # names are everybody's
        self.assertEqual(one.free_group(5).freed, 1)
        self.assertEqual(two.names(), ["two"])
        one.put("two", b"taken", group=9)  # and who puts last owns
        self.assertEqual(two.free_group(5).freed, 0)
        self.assertEqual(two.get("two"), b"taken")
        self.assertEqual(one.free_group(9).freed, 1)

    def test_a_wrong_secret_opens_nothing(self) -> None:
        endpoint = self.start_daemon("--grace", "1h").unix
        client = self.connect(endpoint)
        client.put("mine", b"x", group=1)
        client.close()
        near = client.secret[:-1] + bytes([client.secret[-1] ^ 1])
        self.assert_refused(wire.SESSION_LOST, self.connect, endpoint, secret=near, resume=True)
        self.assertTrue(self.connect(endpoint, secret=client.secret, resume=True).exists("mine"))

    def test_listing_goes_by_pages(self) -> None:
        client = self.connect()
        names = sorted(f"{a}/{b:03}" for a in "xyz" for b in range(40))
        for name in names:
            client.put(name, b"", space="s")
        self.assertEqual(client.names(space="s"), names)
        self.assertEqual(client.names("y/", space="s"), [n for n in names if n.startswith("y/")])
        self.assertEqual(client.names("y/01", space="s", limit=3), [n for n in names if n.startswith("y/01")])
        self.assertEqual(client.names("zz", space="s"), [])
        client.free(*names[::2], space="s")
        self.assertEqual(client.names(space="s"), names[1::2])
        longest = [("n" * 1020) + f"{i:04}" for i in range(60)]
        for name in longest:
            client.put(name, b"", "F32", (0,) + (1 << 32,) + (1,) * 62, space="t")
        self.assertEqual(client.names(space="t"), longest)
        for i in range(150):
            client.put("o", b"x", space=f"space{i:03}")
        seen: list[str] = []
        while True:
            page = client.ask(wire.LIST, pb.List(after=seen[-1] if seen else "")).message
            seen += [space.space for space in page.spaces]
            if not page.more:
                break
        self.assertEqual(seen, ["s", *(f"space{i:03}" for i in range(150)), "t"])

    def test_many_names_in_one_free(self) -> None:
        """As many names as a message has room for."""
        client = self.connect()
        names = [f"{i:04x}" for i in range(300)]
        for name in names:
            client.put(name, b"x")
        freed = client.free(*names, *["-"] * 20_000)
        self.assertEqual((freed.freed, freed.missing), (300, 20_000))


if __name__ == "__main__":
    main()
