"""Every service of the control plane, driven by Python's grpcio without any code of ours."""

from __future__ import annotations

import concurrent.futures
import math
import threading
import time

import grpc
import policy_pb2
import reflection_pb2
from control import Control
from control_case import ControlTest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc import StatusCode
from harness import main, pattern, until

VALUES = 4096


def bitchop(**fields) -> policy_pb2.BitChopLearner:
    defaults = {"alpha": 0.5, "period_steps": 10, "mantissa_start": 7, "mantissa_floor": 1, "freeze_at": 0.85}
    return policy_pb2.BitChopLearner(**{**defaults, **fields})


class Objects(ControlTest):
    def setUp(self) -> None:
        super().setUp()
        self.client = self.connect()
        for i in range(5):
            self.client.put(f"run/t{i}", pattern(VALUES, i), "U8", space="box", group=i % 2)
        self.channel = self.control()

    def test_lists_pages_in_order(self) -> None:
        first = self.channel.call("Objects.List", space="box", limit=3)
        self.assertEqual([o.name for o in first.objects], ["run/t0", "run/t1", "run/t2"])
        self.assertTrue(first.more)
        rest = self.channel.call("Objects.List", space="box", after="run/t2")
        self.assertEqual([o.name for o in rest.objects], ["run/t3", "run/t4"])
        self.assertFalse(rest.more)
        self.assertEqual(rest.objects[0].raw_bytes, VALUES)

    def test_lists_spaces(self) -> None:
        spaces = self.channel.call("Objects.List").spaces
        self.assertEqual([(s.space, s.objects) for s in spaces], [("box", 5)])

    def test_stat_says_what_the_data_plane_says(self) -> None:
        seen = self.channel.call("Objects.Stat", space="box", name="run/t1").object
        told = self.client.stat("run/t1", space="box")
        seen.age_ms = told.age_ms = 0
        self.assertEqual(seen, told)

    def test_stat_of_nothing(self) -> None:
        self.assert_fails(
            StatusCode.NOT_FOUND, "NOT_FOUND", self.channel.call, "Objects.Stat", space="box", name="none"
        )

    def test_a_name_with_a_nul_is_not_its_beginning(self) -> None:
        self.assert_fails(
            StatusCode.INVALID_ARGUMENT, "INVALID", self.channel.call, "Objects.Stat", space="box", name="run/t1\0x"
        )

    def test_free(self) -> None:
        done = self.channel.call("Objects.Free", space="box", names=["run/t0", "run/none", "run/t2"])
        self.assertEqual((done.freed, done.missing), (2, 1))
        self.assertEqual(len(self.channel.call("Objects.List", space="box").objects), 3)

    def test_groups_of_all_sessions(self) -> None:
        with self.connect() as other:
            other.put("mine", pattern(VALUES), "U8", space="box", group=7)
            groups = self.channel.call("Objects.ListGroups").groups
            self.assertEqual([(g.group, g.objects, g.connected) for g in groups], [(1, 2, True), (7, 1, True)])
            self.assertGreater(groups[0].stored_bytes, VALUES)
            self.assertNotEqual(groups[0].session, groups[1].session)
        # Closed without a farewell: its session waits for it, and keeps the group.
        gone = until("it is seen", lambda: [g for g in self.channel.call("Objects.ListGroups").groups if not g.connected])
        self.assertEqual([g.group for g in gone], [7])
        done = self.channel.call("Objects.FreeGroup", session=gone[0].session, group=7)
        self.assertEqual(done.freed, 1)
        self.assertEqual([g.group for g in self.channel.call("Objects.ListGroups").groups], [1])

    def test_group_0_is_no_group(self) -> None:
        self.assert_fails(
            StatusCode.INVALID_ARGUMENT, "INVALID", self.channel.call, "Objects.FreeGroup", session=1, says="ListGroups"
        )


class Statistics(ControlTest):
    def test_the_same_numbers_as_the_data_plane(self) -> None:
        with self.connect() as client:
            client.put("a", pattern(VALUES), "U8")
            told = client.stats()
            client.bye()
        seen = {c.name: c.value for c in self.control().call("Statistics.Get").counters}
        self.assertEqual(seen.keys(), told.keys())
        self.assertEqual((seen["puts"], seen["store_objects"]), (1, 1))

    def test_coding_by_run_and_kind(self) -> None:
        with self.connect() as client:
            client.put("a", bytes(4 * VALUES), "F32", kind=2)
            client.bye()
        coding = self.control().call("Statistics.Get").coding
        self.assertEqual([(c.run, c.kind, c.tensors, c.raw_bytes) for c in coding], [("", 2, 1, 4 * VALUES)])
        self.assertEqual(coding[0].report.values, VALUES)


class Policies(ControlTest):
    flags = ("--control-listen", "tcp:0")

    def test_push_and_get(self) -> None:
        channel = self.control()
        self.assertEqual(channel.call("Policies.Get", space="default").set.version, 0)
        learner = bitchop(period_steps=5)
        pushed = policy_pb2.Policy(
            name="w", selector=policy_pb2.Selector(name="layer*", kinds=[2]), format="sfp-1-8-7", bitchop=learner
        )
        version = channel.push("default", pushed)
        got = channel.call("Policies.Get", space="default").set
        self.assertEqual((got.space, got.version, len(got.policies)), ("default", version, 1))
        self.assertEqual(got.policies[0].selector, pushed.selector)
        self.assertEqual(got.policies[0].bitchop.period_steps, 5)

    def test_list_is_of_all_spaces(self) -> None:
        channel = self.control()
        for space in ("b", "a", "c"):
            channel.push(space)
        self.assertEqual([s.space for s in channel.call("Policies.List").sets], ["a", "b", "c"])

    def test_another_version_is_in_force(self) -> None:
        channel = self.control()
        version = channel.push()
        self.assert_fails(
            StatusCode.ABORTED, "STALE", channel.push, any_version=False, expected_version=version + 1, says="not"
        )
        self.assertEqual(channel.push(any_version=False, expected_version=version), version + 1)

    def test_bad_sets_change_nothing(self) -> None:
        channel = self.control()
        version = channel.push()
        bad = {
            "format": policy_pb2.Policy(name="x", format="sfp-1-99-2"),
            "name": policy_pb2.Policy(name="a b", format="raw"),
            "glob": policy_pb2.Policy(name="x", format="raw", selector=policy_pb2.Selector(name="[a")),
            "width": policy_pb2.Policy(name="x", format="sfp-1-8-7", bitchop=bitchop(alpha=math.nan)),
        }
        for what, policy in bad.items():
            with self.subTest(what):
                self.assert_fails(StatusCode.INVALID_ARGUMENT, "INVALID", channel.push, "default", policy)
        self.assertEqual(channel.call("Policies.Get", space="default").set.version, version)

    def test_watch_sees_each_set_that_is_pushed(self) -> None:
        channel = self.control()
        stream = channel.watch("Policies.Watch", space="default", timeout=60)
        self.assertEqual(next(stream).set.version, 0)
        for _ in range(3):
            version = channel.push()
            channel.push("elsewhere")
            self.assertEqual(next(stream).set.version, version)
        stream.cancel()

    def test_a_push_over_tcp_needs_a_token(self) -> None:
        self.assert_fails(
            StatusCode.PERMISSION_DENIED, "DENIED", self.control(self.daemon.control_tcp).push, says="token"
        )


class Token(ControlTest):
    def test_whose_token_is_right_owns(self) -> None:
        path = self.daemon.directory / "token"
        path.write_text("correct-horse-battery\n")
        self.daemon = self.start_daemon("--control-listen", "tcp:0", "--control-token-file", str(path))
        channel = self.control(self.daemon.control_tcp)
        for wrong in ("", "Bearer ", "Bearer correct-horse-batterz", "correct-horse-battery", "Bearer correct-horse"):
            self.assert_fails(
                StatusCode.PERMISSION_DENIED, "DENIED", channel.push, metadata=(("authorization", wrong),)
            )
        right = (("authorization", "Bearer correct-horse-battery"),)
        self.assertEqual(channel.push(metadata=right), 1)


class Runs(ControlTest):
    def setUp(self) -> None:
        super().setUp()
        self.channel = self.control()
        learner = bitchop(period_steps=2)
        self.channel.push("default", policy_pb2.Policy(name="w", format="sfp-1-8-7", bitchop=learner))

    def open(self, run: str = "r", **settings) -> int:
        settings = policy_pb2.RunSettings(run=run, space="default", seed=1, steps=1000, **settings)
        return self.channel.call("Runs.Open", settings=settings).member

    def step(self, step: int, loss: float, member: int = 0, run: str = "r"):
        widths = self.channel.call("Runs.GetBitlengths", run=run, step=step)
        self.channel.call("Runs.Report", run=run, member=member, step=step, loss=loss, learning_rate=0.1)
        return widths

    def test_a_learner_moves(self) -> None:
        member = self.open()
        widths = [self.step(i, 2.0 - 0.01 * i, member).bitlengths[0].mantissa_bits for i in range(40)]
        self.assertLess(widths[-1], widths[0])
        again = [
            self.channel.call("Runs.GetBitlengths", run="r", step=i).bitlengths[0].mantissa_bits for i in range(40)
        ]
        self.assertEqual(again, widths, "what a step was told stays")
        got = self.channel.call("Runs.Get", run="r")
        self.assertEqual((got.run.settings.run, got.run.members, got.run.reported_step), ("r", 1, 39))
        self.assertGreater(len(got.history), 2)

    def test_learned_lengths_are_shown(self) -> None:
        member = self.open()
        learned = [policy_pb2.Bitlengths(policy="w", tensor="l1", kind=2, mantissa_bits=2.5, effective_step=3)]
        self.channel.call("Runs.ReportLearned", run="r", member=member, step=3, learned=learned)
        history = self.channel.call("Runs.Get", run="r").history
        self.assertIn(("l1", 2.5), [(b.tensor, b.mantissa_bits) for b in history])

    def test_list(self) -> None:
        for run in ("b", "a"):
            self.open(run)
        runs = self.channel.call("Runs.List").runs
        self.assertEqual([(r.settings.run, len(r.bitlengths)) for r in runs], [("a", 0), ("b", 0)])

    def test_what_is_wrong_gets_a_sentence(self) -> None:
        call = self.channel.call
        self.assert_fails(StatusCode.NOT_FOUND, "NO_RUN", call, "Runs.Get", run="none", says="open it")
        self.assert_fails(StatusCode.NOT_FOUND, "NO_RUN", call, "Runs.Report", run="none", step=1, loss=1.0)
        self.assert_fails(StatusCode.INVALID_ARGUMENT, "INVALID", call, "Runs.Open", says="settings")
        member = self.open()
        self.assert_fails(
            StatusCode.INVALID_ARGUMENT, "NOT_FINITE", call, "Runs.Report", run="r", member=member, loss=math.nan
        )
        self.assert_fails(
            StatusCode.INVALID_ARGUMENT, "INVALID", call, "Runs.Report", run="r", member=99, step=1, loss=1.0
        )

    def test_watch_sees_decisions(self) -> None:
        member = self.open()
        stream = self.channel.watch("Runs.Watch", run="r", timeout=60)
        first = next(stream).bitlengths[0].mantissa_bits
        seen: list[float] = []

        def follow() -> None:
            for info in stream:
                seen.append(info.bitlengths[0].mantissa_bits)
                if info.bitlengths[0].mantissa_bits < first:
                    stream.cancel()
                    return

        follower = threading.Thread(target=follow)
        follower.start()
        for i in range(40):
            self.step(i, 2.0 - 0.01 * i, member)
        follower.join(30)
        self.assertFalse(follower.is_alive(), f"saw {seen}")

    def test_watch_of_no_run(self) -> None:
        self.assert_fails(StatusCode.NOT_FOUND, "NO_RUN", next, self.channel.watch("Runs.Watch", run="none"))


class BothDoors(ControlTest):
    """What comes in as frames is seen here, and the other way round."""

    def test_policies(self) -> None:
        channel, client = self.control(), self.connect()
        stream = channel.watch("Policies.Watch", space="default", timeout=60)
        self.assertEqual(next(stream).set.version, 0)
        version = client.push(policy_pb2.Policy(name="a", format="sfp-1-4-2"))
        self.assertEqual(next(stream).set.version, version)
        self.assertEqual(channel.push("default", policy_pb2.Policy(name="b", format="raw")), version + 1)
        self.assertEqual(client.policies().policies[0].name, "b")
        self.assertEqual(next(stream).set.version, version + 1)
        self.assertEqual(client.put("t", bytes(4 * VALUES), "F32").format, "raw")
        stream.cancel()

    def test_runs(self) -> None:
        channel, client = self.control(), self.connect()
        channel.push("default", policy_pb2.Policy(name="w", format="sfp-1-8-7", bitchop=bitchop(period_steps=2)))
        client.open_run("r", seed=1, steps=1000)
        member = channel.call("Runs.Open", settings=policy_pb2.RunSettings(run="r", space="default", seed=1, steps=1000))
        self.assertEqual(member.run.members, 2)
        stream = channel.watch("Runs.Watch", run="r", timeout=60)
        first = next(stream).bitlengths[0].mantissa_bits
        for step in range(40):
            here = channel.call("Runs.GetBitlengths", run="r", step=step)
            self.assertEqual(here, client.bitlengths("r", step))
            client.report("r", step, 2.0 - 0.01 * step)
            channel.call("Runs.Report", run="r", member=member.member, step=step, loss=2.0 - 0.01 * step)
        self.assertLess(here.bitlengths[0].mantissa_bits, first)
        while next(stream).bitlengths[0].mantissa_bits >= first:
            pass
        stream.cancel()


class Health(ControlTest):
    def test_check(self) -> None:
        channel = self.control()
        for service in ("", "spillway.v1.Policies", "spillway.v1.Objects"):
            self.assertEqual(channel.call("grpc.health.v1.Health.Check", service=service).status, 1)
        self.assert_fails(StatusCode.NOT_FOUND, "NOT_FOUND", channel.call, "grpc.health.v1.Health.Check", service="x")

    def test_watch_ends_with_not_serving(self) -> None:
        channel = self.control()
        streams = [channel.watch("grpc.health.v1.Health.Watch", service=s) for s in ("", "spillway.v1.Runs", "none")]
        self.assertEqual([next(s).status for s in streams], [1, 1, 3])
        seen: list[list[int]] = [[], [], []]

        def follow(i: int) -> None:
            self.assert_fails(
                StatusCode.UNAVAILABLE, "SHUTTING_DOWN", lambda: seen[i].extend(m.status for m in streams[i])
            )

        # They read all the while: grpcio drops a message that nobody has read when a status comes behind it.
        with concurrent.futures.ThreadPoolExecutor() as readers:
            ends = [readers.submit(follow, i) for i in range(3)]
            time.sleep(0.2)
            self.daemon.terminate()
        for end in ends:
            end.result()
        self.assertEqual(seen, [[2], [2], []])


def pool_of(answers: list[reflection_pb2.ServerReflectionResponse]) -> descriptor_pool.DescriptorPool:
    """All files of the answers, each after those that it imports."""
    parsed = [
        descriptor_pb2.FileDescriptorProto.FromString(file)
        for answer in answers
        for file in answer.file_descriptor_response.file_descriptor_proto
    ]
    files = {file.name: file for file in parsed}
    pool = descriptor_pool.DescriptorPool()

    def add(name: str) -> None:
        if file := files.pop(name, None):
            for needed in file.dependency:
                add(needed)
            pool.Add(file)

    for file in parsed:
        add(file.name)
    return pool


class Reflection(ControlTest):
    """A client that knows nothing but reflection itself."""

    def ask(self, version: str, *requests: reflection_pb2.ServerReflectionRequest):
        talk = self.control().channel.stream_stream(
            f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        return list(talk(iter(requests), timeout=20))

    def test_discovers_and_calls(self) -> None:
        with self.connect() as client:
            client.put("seen", pattern(VALUES), "U8", space="box")
            client.bye()
        request = reflection_pb2.ServerReflectionRequest
        for version in ("v1", "v1alpha"):
            services = [s.name for s in self.ask(version, request(list_services="*"))[0].list_services_response.service]
            self.assertIn("spillway.v1.Objects", services)
            pool = pool_of(self.ask(version, *[request(file_containing_symbol=s) for s in services]))
            for service in services:
                self.assertTrue(pool.FindServiceByName(service).methods, service)
            method = pool.FindServiceByName("spillway.v1.Objects").methods_by_name["List"]
            classes = message_factory.MessageFactory(pool)
            call = self.control().channel.unary_unary(
                "/spillway.v1.Objects/List",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=classes.GetPrototype(method.output_type).FromString,
            )
            done = call(classes.GetPrototype(method.input_type)(space="box"), timeout=20)
            self.assertEqual([o.name for o in done.objects], ["seen"])

    def test_what_there_is_not(self) -> None:
        request = reflection_pb2.ServerReflectionRequest
        answers = self.ask(
            "v1",
            request(file_containing_symbol="spillway.v1.Nothing"),
            request(file_containing_symbol=""),
            request(file_containing_symbol="spillway.v1.Objects.List.more"),
            request(file_by_filename="../etc/passwd"),
            request(all_extension_numbers_of_type="spillway.v1.Put"),
            request(),
        )
        self.assertEqual([a.error_response.error_code for a in answers], [StatusCode.NOT_FOUND.value[0]] * 6)
        names = [
            descriptor_pb2.FileDescriptorProto.FromString(f).name
            for f in self.ask("v1", request(file_by_filename="control.proto"))[
                0
            ].file_descriptor_response.file_descriptor_proto
        ]
        self.assertEqual(sorted(names), ["control.proto", "policy.proto", "spillway.proto"])


class Sockets(ControlTest):
    def test_the_socket_is_its_owners(self) -> None:
        path = self.daemon.control.removeprefix("unix:")
        import os
        import stat

        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)

    def test_none_is_none(self) -> None:
        daemon = self.start_daemon("--control-socket", "none")
        with Control(daemon.control) as channel:
            with self.assertRaises(grpc.RpcError):
                channel.call("Statistics.Get", timeout=2)


if __name__ == "__main__":
    main()
