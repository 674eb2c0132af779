"""Runs: workers that share widths, while losses and policies move them."""

import json
import multiprocessing
import random
import time

import policy_pb2 as pb
import wire
from harness import SANITIZE, DaemonTest, main, until
from raw import Raw

ACTIVATION = pb.KIND_ACTIVATION
F32 = wire.DTYPES["F32"][0]
WORKERS = 16
STEPS = 20 if SANITIZE else 40


def bitchop(name: str = "acts", **fields) -> pb.Policy:
    learner = {"alpha": 0.1, "period_steps": 1, "mantissa_start": 7, "mantissa_floor": 1, "freeze_at": 1.0, **fields}
    return pb.Policy(
        name=name,
        format="sfp-1-8-7",
        selector=pb.Selector(kinds=[ACTIVATION], dtypes=[F32]),
        bitchop=pb.BitChopLearner(**learner),
    )


def floats(count: int) -> bytes:
    import numpy

    return numpy.random.default_rng(count).normal(0, 0.02, count).astype("<f4").tobytes()


DATA = floats(2000)


def worker(endpoint: str, number: int, results) -> None:
    """A training loop: what it saw at each step."""
    dice = random.Random(number)
    seen = []
    with Raw(endpoint) as client:
        member = client.open_run("shared", steps=10 * STEPS, members=WORKERS, seed=5).member
        for step in range(STEPS):
            # Some ask first, some put first: both fix the step.
            ask_first = dice.random() < 0.5
            widths = client.bitlengths("shared", step) if ask_first else None
            info = client.put(f"w{number}/{step}", DATA, "F32", kind=ACTIVATION, run="shared", step=step)
            widths = widths or client.bitlengths("shared", step)
            seen.append([widths.SerializeToString(deterministic=True).hex(), info.format, info.policy_version])
            client.report("shared", step, 10 / (1 + step) + dice.random() / 100, member, learning_rate=0.1)
            time.sleep(dice.random() * 0.02)
        client.bye()
    results.put((number, seen))


class Shared(DaemonTest):
    def test_sixteen_workers_see_the_same_while_policies_change(self) -> None:
        """Each step's widths, version and format are one for all, whoever asks first and whatever is pushed."""
        context = multiprocessing.get_context("fork")
        results = context.Queue()
        pusher = self.connect()
        pusher.push(bitchop())
        workers = [context.Process(target=worker, args=(self.daemon.unix, i, results)) for i in range(WORKERS)]
        for process in workers:
            process.start()
        seen: dict[int, list] = {}
        pushes = 0
        end = time.monotonic() + 120
        while len(seen) < WORKERS and time.monotonic() < end:
            while not results.empty():
                number, steps = results.get()
                seen[number] = steps
            pusher.push(bitchop(mantissa_start=7 - pushes % 3), pb.Policy(name=f"push{pushes}", format="lossless"))
            pushes += 1
            time.sleep(0.05)
        for process in workers:
            process.join(30)
            self.assertEqual(process.exitcode, 0)
        self.assertEqual(len(seen), WORKERS)
        for step in range(STEPS):
            of_step = {json.dumps(steps[step]) for steps in seen.values()}
            self.assertEqual(len(of_step), 1, f"step {step}: {of_step}")
        versions = {entry[2] for entry in seen[0]}
        formats = {entry[1] for entry in seen[0]}
        self.assertGreater(len(versions), 2, "no push took effect while they worked")
        self.assertGreater(len(formats), 1, "no decision took effect while they worked")
        for widths, form, version in seen[0]:
            done = pb.GetBitlengthsDone.FromString(bytes.fromhex(widths))
            self.assertEqual((done.bitlengths[0].format, done.policy_version), (form, version))
        # All of it stays true afterwards.
        for step in range(STEPS):
            now = pusher.bitlengths("shared", step).SerializeToString(deterministic=True).hex()
            self.assertEqual(now, seen[0][step][0])


class Runs(DaemonTest):
    tcp = True

    def test_unknown_runs(self) -> None:
        client = self.connect()
        self.assert_refused(wire.NO_RUN, client.report, "r", 0, 1.0, says="open it first")
        self.assert_refused(wire.NO_RUN, client.bitlengths, "r", 0)
        self.assert_refused(wire.NO_RUN, client.put, "t", DATA, "F32", run="r")
        self.assert_refused(wire.NO_RUN, client.put, "t", DATA, "F32", run="r", format="raw")
        self.assert_refused(wire.NO_RUN, client.ask, wire.REPORT_LEARNED, pb.ReportLearned(run="r"))
        self.assert_refused(wire.NO_RUN, client.report, "x" * 5000, 0, 1.0)
        self.assert_refused(wire.INVALID, client.put, "t", DATA, "F32", run="a/b")
        self.assertFalse(client.exists("t"))

    def test_settings(self) -> None:
        client = self.connect()
        first = client.open_run("r", seed=1, steps=10)
        self.assertEqual((first.member, first.run.members), (0, 1))
        self.assertEqual(client.open_run("r", seed=1, steps=10).member, 1)
        self.assert_refused(wire.INVALID, client.open_run, "r", seed=2, steps=10, says="another seed")
        self.assert_refused(wire.INVALID, client.open_run, "r", space="other", seed=1, steps=10, says="another space")
        self.assert_refused(wire.INVALID, client.open_run, "")
        self.assert_refused(wire.INVALID, client.open_run, "r", space="a b")
        self.assert_refused(wire.INVALID, client.open_run, "r2", members=5000)
        self.assert_refused(wire.INVALID, client.ask, wire.OPEN_RUN, pb.OpenRun())
        self.assert_refused(wire.INVALID, client.report, "r", 0, 1.0, member=2, says="none of them")
        self.assert_refused(wire.RANGE, client.report, "r", 11, 1.0)
        self.assert_refused(wire.RANGE, client.bitlengths, "r", 11)
        self.assert_refused(wire.RANGE, client.bitlengths, "r", 2**64 - 1)
        # A run is no matter of owners: whoever reaches the daemon may join.
        self.assertEqual(self.connect(self.daemon.tcp).open_run("r", seed=1, steps=10).member, 2)

    def test_losses_that_are_no_numbers(self) -> None:
        client = self.connect()
        client.push(bitchop())
        client.open_run("r")
        for step, loss in enumerate((float("nan"), float("inf"), float("-inf"))):
            self.assert_refused(wire.NOT_FINITE, client.report, "r", step, loss, says="full widths")
        widths = client.bitlengths("r", 3)
        self.assertEqual(widths.bitlengths[0].mantissa_bits, 23)
        self.assertEqual(client.bitlengths("r", 0).bitlengths[0].mantissa_bits, 7)
        self.assert_refused(wire.INVALID, client.report, "r", 4, 1.0, learning_rate=float("nan"))
        self.assertEqual(self.stats()["run_losses_not_finite"], 3)
        self.assertEqual(client.put("t", DATA, "F32", kind=ACTIVATION, run="r", step=3).format, "sfp-1-8-23")

    def test_learned_widths_are_stored(self) -> None:
        """A put of a step is coded at that step's widths; what is stored under others stays."""
        client = self.connect()
        client.push(bitchop())
        client.open_run("r")
        formats, containers = {}, {}
        for step in range(30):
            info = client.put(f"t{step}", DATA, "F32", kind=ACTIVATION, run="r", step=step)
            formats[step] = info.format
            containers[step] = client.get(f"t{step}", encoded=True)
            self.assertEqual(client.bitlengths("r", step).bitlengths[0].format, info.format)
            client.report("r", step, 10 / (1 + step), learning_rate=0.1)
        self.assertGreater(len(set(formats.values())), 3)
        self.assertLess(len(containers[29]), len(containers[0]))
        for step in range(30):
            self.assertEqual(client.get(f"t{step}", encoded=True), containers[step])
            again = client.put("again", DATA, "F32", kind=ACTIVATION, run="r", step=step)
            self.assertEqual(again.format, formats[step])

    def test_steps_wait_two_seconds(self) -> None:
        client = self.connect()
        client.open_run("r", members=2)
        began = time.monotonic()
        client.report("r", 1, 4.0)
        until("the step is taken", lambda: self.stats()["run_steps_incomplete"] == 1)
        self.assertGreaterEqual(time.monotonic() - began, 1.9)
        self.assertEqual(client.open_run("r", members=2).run.loss, 4.0)

    def test_stochastic_rounding_draws_by_the_run(self) -> None:
        client = self.connect()
        client.open_run("r", seed=1)
        client.open_run("s", seed=2)

        def put(run: str, step: int) -> bytes:
            client.put("t", DATA, "F32", run=run, step=step, format="sfp-1-8-2-sr")
            return client.get("t")

        first = put("r", 0)
        self.assertEqual(put("r", 0), first)
        self.assertNotEqual(put("r", 1), first)
        self.assertNotEqual(put("s", 0), first)

    def test_learned_reports(self) -> None:
        client = self.connect()
        client.open_run("r")

        def learned(**fields):
            widths = pb.Bitlengths(**{"policy": "p", "tensor": "t", "mantissa_bits": 2.5, **fields})
            client.ask(wire.REPORT_LEARNED, pb.ReportLearned(run="r", learned=[widths]))

        learned()
        for bad in ({"mantissa_bits": float("nan")}, {"exponent_bits": -1}, {"policy": ""}, {"kind": 77}):
            with self.subTest(bad):
                self.assert_refused(wire.INVALID, learned, **bad)
        many = [pb.Bitlengths(policy="p", tensor=f"t{i}", mantissa_bits=1) for i in range(2500)]
        client.ask(wire.REPORT_LEARNED, pb.ReportLearned(run="r", learned=many))
        client.ping()

    def test_too_many_runs(self) -> None:
        client = self.connect()
        for i in range(256):
            client.open_run(f"r{i}")
        self.assert_refused(wire.FULL, client.open_run, "one-more", says="room")


if __name__ == "__main__":
    main()
