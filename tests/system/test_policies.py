"""Policies: pushed, compared, applied to puts, and never applied to what is stored."""

import os
import stat
import struct
import traceback

import policy_pb2 as pb
import wire
from harness import DaemonTest, main
from raw import Raw, Refused

ACTIVATION, WEIGHT = pb.KIND_ACTIVATION, pb.KIND_WEIGHT
F32 = wire.DTYPES["F32"][0]


def policy(name: str, plan: str, **fields) -> pb.Policy:
    selector = {key: fields.pop(key) for key in ("kinds", "dtypes", "min_bytes", "max_bytes") if key in fields}
    if "glob" in fields:
        selector["name"] = fields.pop("glob")
    return pb.Policy(name=name, format=plan, selector=pb.Selector(**selector), **fields)


def floats(count: int) -> bytes:
    import numpy

    return numpy.random.default_rng(count).normal(0, 0.02, count).astype("<f4").tobytes()


DATA = floats(20000)


class Pushing(DaemonTest):
    tcp = True

    def test_versions(self) -> None:
        client = self.connect()
        self.assertEqual(client.policies().version, 0)
        self.assertEqual(client.push(policy("p", "raw"), expected=0), 1)
        refused = self.assert_refused(wire.STALE, client.push, expected=0, says="version 1")
        self.assertEqual(refused.policy_version, 1)
        self.assertEqual(client.push(expected=1), 2)
        self.assertEqual(len(client.policies().policies), 0)
        self.assertEqual(client.push(policy("q", "raw"), space="other"), 1)
        self.assertEqual(self.connect().policies("other").policies[0].name, "q")

    def test_what_comes_back_is_what_was_pushed(self) -> None:
        client = self.connect()
        learner = pb.BitChopLearner(alpha=0.25, period_steps=3, mantissa_start=5, mantissa_floor=2, freeze_at=0.5)
        pushed = [
            policy("a", "sfp-1-8-7", glob="layer[0-9]*", kinds=[ACTIVATION], dtypes=[F32], bitchop=learner),
            policy("b", "int4", min_bytes=100),
        ]
        client.push(*pushed)
        got = client.policies().policies
        self.assertEqual([p.name for p in got], ["a", "b"])
        self.assertEqual(got[0].bitchop, learner)
        self.assertEqual(got[0].selector, pushed[0].selector)

    def test_bad_sets(self) -> None:
        client = self.connect()
        client.push(policy("kept", "raw"))
        nan = float("nan")
        for bad in (
            [policy("p", "no-such-format")],
            [policy("p", "sfp-1-9-2")],
            [policy("p", "")],
            [policy("", "raw")],
            [policy("a b", "raw")],
            [policy("x" * 65, "raw")],
            [policy("p", "raw"), policy("p", "raw")],
            [policy("p", "raw", glob="[a-")],
            [policy("p", "raw", glob="*a*a*a*a*a*a*a*a*a*a*b")],
            [policy("p", "raw", glob="x" * 257)],
            [policy("p", "raw", glob="a\0b")],
            [policy("p", "raw", kinds=[99])],
            [policy("p", "raw", dtypes=[999])],
            [policy("p", "raw", min_bytes=5, max_bytes=4)],
            [policy("p", "sfp-1-8-7", bitchop=pb.BitChopLearner(alpha=nan, period_steps=1))],
            [policy("p", "sfp-1-8-7", bitchop=pb.BitChopLearner(alpha=0.1, period_steps=1, mantissa_start=99))],
            [policy("p", "raw", bitchop=pb.BitChopLearner(alpha=0.1, period_steps=1, freeze_at=1))],
            [policy(f"p{i}", "raw") for i in range(257)],
        ):
            with self.subTest(str(bad)[:200]):
                self.assert_refused(wire.INVALID, client.push, *bad)
        self.assert_refused(wire.INVALID, client.push, space="no/space")
        self.assert_refused(wire.INVALID, client.push, space="")
        self.assert_refused(wire.INVALID, client.ask, wire.PUSH_POLICIES, pb.PushPolicies(any_version=True))
        self.assert_refused(wire.INVALID, client.ask, wire.PUSH_POLICIES, b"\xff\xff")
        self.assert_refused(wire.INVALID, client.ask, wire.GET_POLICIES, pb.GetPolicies(space="no/space"))
        got = client.policies()
        self.assertEqual((got.version, got.policies[0].name), (1, "kept"))

    def test_tcp_has_no_identity(self) -> None:
        client = self.connect(self.daemon.tcp)
        self.assert_refused(wire.DENIED, client.push, says="unix socket")
        self.assertEqual(client.policies().version, 0)


class Owners(DaemonTest):
    def setUp(self) -> None:
        pass

    def as_somebody_else(self, daemon, action) -> None:
        """Runs it in a child of another uid; needs root."""
        os.chmod(daemon.directory, 0o755)
        os.chmod(daemon.socket, 0o666)
        child = os.fork()
        if child == 0:
            try:
                os.setgid(65534)
                os.setuid(65534)
                action()
                os._exit(0)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
        self.assertEqual(os.waitpid(child, 0)[1], 0)

    def daemon_with(self, text: str):
        import tempfile

        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write(text)
            file.flush()
            return self.start_daemon("--config", file.name)

    def test_owners(self) -> None:
        mine = os.geteuid()
        daemon = self.daemon_with(f'space "theirs" {{ owner = "65534" }}\nspace "mine" {{ owner = "{mine}" }}\n')
        client = self.connect(daemon.unix)
        client.push(policy("p", "raw"), space="mine")
        client.push(policy("p", "raw"))
        if mine != 0:
            self.assert_refused(wire.DENIED, client.push, space="theirs", says="65534")
            return

        client.push(policy("p", "raw"), space="theirs")  # root may

        def other() -> None:
            with Raw(daemon.unix) as raw:
                raw.push(policy("p", "raw"), space="theirs")
                for space in ("mine", "default"):
                    try:
                        raw.push(space=space)
                    except Refused as refused:
                        assert refused.status == wire.DENIED and "you are uid 65534" in refused.text
                    else:
                        raise AssertionError(f"pushed to {space}")
                raw.bye()

        self.as_somebody_else(daemon, other)

    def test_names_of_users(self) -> None:
        daemon = self.daemon_with('space "s" { owner = "nobody" }\n')
        self.assertTrue(stat.S_ISSOCK(os.stat(daemon.socket).st_mode))


class Puts(DaemonTest):
    def put(self, client, name="t", kind=ACTIVATION, data=DATA, **fields):
        return client.put(name, data, "F32", kind=kind, **fields)

    def test_the_set_decides(self) -> None:
        client = self.connect()
        client.push(
            policy("norms", "lossless", glob="*norm*"),
            policy("acts", "sfp-1-8-3", kinds=[ACTIVATION], dtypes=[F32], min_bytes=100),
            policy("weights", "fpraker", kinds=[WEIGHT]),
        )
        self.assertEqual(self.put(client).format, "sfp-1-8-3")
        self.assertEqual(self.put(client).policy_version, 1)
        self.assertEqual(self.put(client, "norm1").format, "lossless")
        self.assertEqual(self.put(client, kind=WEIGHT).format, "fpraker")
        self.assertEqual(self.put(client, data=floats(4)).format, "lossless")
        self.assertEqual(client.put("i", bytes(4000), "I32", kind=ACTIVATION).format, "lossless")
        self.assertEqual(self.put(client, space="other").format, "lossless")
        demanded = self.put(client, format="raw")
        self.assertEqual((demanded.format, demanded.policy_version), ("raw", 0))
        self.assertEqual(client.stat("t").format, "raw")
        self.assertEqual(self.stats()["policies_pushed"], 1)

    def test_stale_versions(self) -> None:
        client = self.connect()
        self.assertEqual(self.assert_refused(wire.STALE, self.put, client, policy_version=1).policy_version, 0)
        client.push(policy("a", "sfp-1-8-3"))
        info = self.put(client, policy_version=1, format="sfp-1-8-2")
        self.assertEqual((info.format, info.policy_version), ("sfp-1-8-2", 1))
        client.push(policy("a", "sfp-1-8-4"))
        refused = self.assert_refused(wire.STALE, self.put, client, policy_version=1, format="sfp-1-8-3")
        self.assertEqual(refused.policy_version, 2)
        self.assertEqual(client.stat("t").format, "sfp-1-8-2")
        self.assertEqual(self.put(client).format, "sfp-1-8-4")

    def test_formats_that_need_a_summary(self) -> None:
        client = self.connect()
        e_max = max(b >> 23 & 0xFF for b in struct.unpack(f"<{len(DATA) // 4}I", DATA))
        client.push(policy("acts", "sfp-1-4-2", kinds=[ACTIVATION]), policy("w", "int8", kinds=[WEIGHT]))
        refused = self.assert_refused(wire.POLICY, self.put, client, says="put again")
        self.assertEqual((refused.format, refused.policy_version), ("sfp-1-4-2", 1))
        info = self.put(client, format=refused.format, policy_version=refused.policy_version, e_max=e_max)
        self.assertEqual((info.format, info.policy_version), ("sfp-1-4-2", 1))
        self.assertEqual(self.put(client, e_max=e_max).format, "sfp-1-4-2")
        refused = self.assert_refused(wire.POLICY, self.put, client, kind=WEIGHT)
        self.assertEqual(refused.format, "int8")
        values = struct.unpack(f"<{len(DATA) // 4}f", DATA)
        summary = struct.pack("<ff", min(values), max(values))
        self.assertEqual(self.put(client, kind=WEIGHT, summary=summary).format, "int8")
        # What was a summary of another format is none of this one.
        self.assert_refused(wire.POLICY, self.put, client, kind=ACTIVATION, summary=summary, e_max=e_max)
        self.assertEqual(client.stat("t").format, "int8")

    def test_stored_containers_stay(self) -> None:
        client = self.connect()
        self.put(client, "before")
        client.push(policy("a", "sfp-1-8-3"))
        self.put(client, "under it")
        stored = {name: client.get(name, encoded=True) for name in ("before", "under it")}
        infos = {name: client.stat(name) for name in stored}
        client.push(policy("a", "sfp-1-8-0"))
        self.put(client, "after")
        for name, container in stored.items():
            with self.subTest(name):
                self.assertEqual(client.get(name, encoded=True), container)
                now = client.stat(name)
                self.assertEqual((now.format, now.generation), (infos[name].format, infos[name].generation))
        self.assertEqual(client.get("before"), DATA)

    def test_a_large_set_does_not_fit_a_frame(self) -> None:
        client = self.connect()
        many = [policy(f"p{i}", "sfp-1-8-3", glob="x" * 220) for i in range(240)]
        self.assert_refused(wire.TOO_LARGE, client.push, *many, *many, says="65,536")
        client = self.connect()
        self.assertEqual(client.push(*many), 1)
        self.assertEqual(len(client.policies().policies), 240)


if __name__ == "__main__":
    main()
