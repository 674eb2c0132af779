"""Policies and runs from Python, and through offload()."""

import ctypes
import math
import mmap
import threading

import numpy as np
import pytest
import torch

import spillway
import spillway.torch
from spillway.policy import BitChop, BitPruning, BitWave, Fixed, Policy, PolicySet, Quantum
from spillway.run import Learned


@pytest.fixture
def daemon_(make_daemon):
    return make_daemon("128M")


@pytest.fixture
def own(daemon_):
    """A client of a daemon without policies."""
    with spillway.Client(daemon_.endpoint) as client:
        yield client


X = np.random.default_rng(0).normal(0, 1, (64, 1000)).astype("f4")

ACTS = Policy("acts", "sfp-1-8-7", kinds=["activation"], dtypes=["f32"], learner=BitChop())


def put(client, name="a", kind="activation", **options):
    return client.put(name, X, kind=kind, **options)


# With what YAML has its own use for.
GLOB = 'layer"[0-9]\\*'

LEARNERS = [
    Fixed(),
    Quantum(exponent=True, gamma=0.25, mantissa_start=6.5, sample_every=4),
    BitChop(alpha=0.3, hold_steps=0),
    BitWave(paired=True, tolerance=1e-05, warmup=0.0),
]


@pytest.mark.parametrize("learner", LEARNERS, ids=lambda learner: learner.kind)
def test_sets_come_back(own, learner):
    pushed = PolicySet(
        [
            Policy("a.b-c", "sfp-1-4-2", GLOB, ["weight", "other"], ["f32", "bf16"], 10, 1 << 30, 4096, learner),
            Policy("9", "int4-c", learner=BitPruning(start=6, freeze_at=0.5)),
        ],
        space="s",
    )
    assert own.push_policies(pushed) == 1
    got = own.policies("s")
    assert (got.space, got.version) == ("s", 1)
    assert [p.name for p in got.policies] == ["a.b-c", "9"]
    first = got.policies[0]
    assert first.name_glob == GLOB
    assert (first.least_bytes, first.most_bytes, first.min_bytes) == (10, 1 << 30, 4096)
    assert set(first.kinds) == {"weight", "other"} and set(first.dtypes) == {"f32", "bf16"}
    for parameter, value in vars(learner).items():
        if value is not None:
            assert getattr(first.learner, parameter) == value
    # What the daemon says can be pushed again, as it is.
    assert own.push_policies(got, expected_version=1) == 2
    assert own.policies("s").policies == got.policies


def test_text_and_its_errors(own):
    assert own.push_policies("policies:\n  - {name: all, format: raw}\n") == 1
    assert put(own).format == "raw"
    with pytest.raises(spillway.UsageError, match="line 2"):
        own.push_policies("policies:\n  - {name: all, format: nonsense}\n")
    with pytest.raises(spillway.StaleError, match="version 1"):
        own.push_policies(PolicySet(), expected_version=7)
    with pytest.raises(ValueError):
        Policy("a\nb", "raw")._lines().__next__()
    assert own.policies().version == 1


@pytest.mark.parametrize("plan", ["sfp-1-4-2", "int8", "int4-c", "fp8uq-e4m3", "e4m3-c", "grad1-top", "bm8"])
def test_formats_that_need_a_summary_are_found_out(daemon_, own, plan):
    """Whoever pushed, whoever knows: the put succeeds, and as if the format had been named."""
    own.push_policies(PolicySet([Policy("p", plan)]))
    with spillway.Client(daemon_.endpoint) as other:
        for client in (own, other, other):
            info = put(client, seed=7)
            assert (info.format, info.policy_version) == (plan, 1)
        by_policy = other.get("a")
        put(other, format=plan, seed=7)
        assert np.array_equal(other.get("a"), by_policy)
        # The set is on its way while the second put is made, perhaps.
        assert other.stats()["puts_need_summary"] <= 2


def test_policies_that_change_under_a_client(daemon_, own):
    own.push_policies(PolicySet([Policy("p", "sfp-1-4-2")]))
    with spillway.Client(daemon_.endpoint) as other:
        for version, plan in enumerate(("sfp-1-4-3", "lossless", "int8", "sfp-1-3-1", "raw"), 2):
            put(other)
            own.push_policies(PolicySet([Policy("p", plan)]))
            info = put(other)
            assert (info.format, info.policy_version) == (plan, version)


def test_many_puts_while_policies_change(daemon_, own):
    """None fails, and each is stored as one of the sets says."""
    plans = ["sfp-1-4-2", "int8", "lossless", "e4m3-c"]
    stop = threading.Event()

    def push():
        with spillway.Client(daemon_.endpoint) as pusher:
            i = 0
            while not stop.is_set():
                pusher.push_policies(PolicySet([Policy("p", plans[i % len(plans)])]))
                i += 1
                stop.wait(0.01)

    thread = threading.Thread(target=push)
    thread.start()
    try:
        retried = 0
        for i in range(60):
            tickets = [own.put_async(f"t{i}-{j}", X, kind="activation") for j in range(4)]
            for ticket in tickets:
                try:
                    assert ticket.result().format in plans
                except spillway.RetryError:
                    retried += 1  # so many pushes in its way that the library gave up
        assert retried < 60
    finally:
        stop.set()
        thread.join()


def test_a_run_moves_its_widths(own):
    own.push_policies(PolicySet([ACTS]))
    run = own.open_run("r", steps=1000, seed=3)
    formats = []
    for step in range(20):
        assert run.step == step
        widths = run.bitlengths()
        info = put(own, run=run)
        assert info.format == widths.policies["acts"].format
        formats.append(info.format)
        reported = run.report(10 / (1 + step), 0.1)
        assert reported.changed == (reported.effective_step > step)
    assert formats[0] == "sfp-1-8-7" and len(set(formats)) > 3
    with pytest.raises(spillway.NotFiniteError, match="full widths"):
        run.report(math.nan)
    assert run.bitlengths().policies["acts"].mantissa_bits == 23
    assert put(own, run=run, step=3).format == formats[3]
    run.report_learned(Learned("acts", f"layer{i}", 3.5) for i in range(200))


def test_paired_probes(own):
    """One period's reports with losses of the same samples: the learner tries narrower widths, and takes them."""
    own.push_policies(PolicySet([Policy("p", "sfp-1-8-7", learner=BitWave(paired=True, period_steps=2, hold_steps=0))]))
    run = own.open_run("r")
    probed = 0
    for _ in range(40):
        widths = run.bitlengths()
        probed += len(widths.probes)
        run.report(1.0, 0.1, paired=(1.0, 1.0, 1.0) if widths.probes else None)
    assert probed > 3
    now = run.bitlengths().policies["p"]
    assert (now.mantissa_bits, now.exponent_bits) != (7, 8)
    assert run.bitlengths(0).policies["p"].mantissa_bits == 7


def test_members_share(daemon_, own):
    own.push_policies(PolicySet([ACTS]))
    with spillway.Client(daemon_.endpoint) as other:
        runs = [client.open_run("r", members=2, seed=1) for client in (own, other)]
        assert [run.member for run in runs] == [0, 1]
        for step in range(12):
            seen = [run.bitlengths() for run in runs]
            assert seen[0] == seen[1]
            for run in runs:
                run.report(10 / (1 + step))
        assert runs[0].bitlengths().policies["acts"].mantissa_bits < 7
        with pytest.raises(spillway.UsageError, match="another seed"):
            other.open_run("r", members=2, seed=2)


def test_what_is_wrong_raises(own):
    with pytest.raises(spillway.NotFoundError, match="open it first"):
        put(own, run=spillway.Run(own, "nobody", 0, "default", 0))
    with pytest.raises(ValueError, match="name that too"):
        put(own, step=3)
    run = own.open_run("r", steps=5)
    with pytest.raises(spillway.UsageError):
        run.report(1.0, step=6)
    with pytest.raises(spillway.UsageError):
        run.bitlengths(1 << 60)
    with pytest.raises(ValueError):
        run.report_learned([Learned("p", "x" * 2000, 1.0)])
    with pytest.raises(spillway.UsageError):
        own.open_run("a b")


def unmappable(count):
    """Floats that can be taken away, and how."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    address = libc.mmap(None, 4 * count, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    return (ctypes.c_float * count).from_address(address), lambda: libc.munmap(address, 4 * count)


def test_memory_that_goes_away_ends_its_put_alone(daemon_, own):
    """The library looks for a summary by itself, late: at memory that may be gone by then."""
    own.push_policies(PolicySet([Policy("p", "raw")]))
    with spillway.Client(daemon_.endpoint) as other:
        other.push_policies(PolicySet([Policy("p", "int8")]))
    failed = 0
    for _ in range(8):
        with spillway.Client(daemon_.endpoint) as client:
            values, take_away = unmappable(4 << 20)
            ticket = client.put_async("t", values, dtype="F32")
            take_away()
            try:
                ticket.result()
            except spillway.SpillwayError as error:
                failed += 1
                assert "unmapped" in str(error) or isinstance(error, spillway.ClosedError)
            assert client.ping() > 0
    assert failed > 0


def test_offload_names_its_run(daemon_, own):
    """Activations are stored at the run's widths of the step that the training loop is at."""
    own.push_policies(PolicySet([ACTS]))
    run = own.open_run("train", steps=100)
    model = torch.nn.Sequential(torch.nn.Linear(64, 256), torch.nn.ReLU(), torch.nn.Linear(256, 8))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    batch = torch.randn(256, 64)
    seen = set()
    with spillway.torch.offload(run=run, min_bytes=1024, window_bytes=0) as offload:
        for _ in range(15):
            loss = model(batch).square().mean()
            for info in own.list("autograd"):
                seen.add(own.stat(info.name).format)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            run.report(loss.item(), 0.05)
            del loss
    assert offload.stats.spilled > 0
    assert run.step == 15
    assert len(seen) > 2 and all(format_.startswith("sfp-1-8-") for format_ in seen), seen
