"""spillway.Client against a real daemon."""

import gc
import os
import pickle
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

import spillway
from spillway import _dtypes


@pytest.fixture(autouse=True)
def clean(client):
    yield
    if not client.closed:
        client.free([info.name for info in client.list()])


def random(dtype, shape):
    if dtype == "bool":
        return np.random.rand(*shape) < 0.5
    count = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.random.randint(0, 256, count, dtype="u1").view(dtype).reshape(shape)


NUMPY_DTYPES = [
    *("float16", "float32", "float64", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
    *("bool", "complex64", "complex128", "longlong", "ulonglong"),
]


@pytest.mark.parametrize("dtype", NUMPY_DTYPES)
@pytest.mark.parametrize("shape", [(1,), (3, 5), (257, 1025)], ids=str)
def test_numpy_round_trip(client, dtype, shape):
    array = random(dtype, shape)
    info = client.put("a", array)
    assert info.shape == shape
    assert info.raw_bytes == array.nbytes
    back = client.get("a")
    assert back.dtype == array.dtype.newbyteorder("=") and back.shape == shape
    assert back.tobytes() == array.tobytes()


@pytest.mark.parametrize("dtype", _dtypes.ALL, ids=lambda dtype: dtype.name)
def test_named_dtypes(client, dtype):
    """Bytes whose meaning is told: BF16 and the like, which no buffer can describe."""
    data = (np.random.rand(12) < 0.5).tobytes() if dtype.name == "BOOL" else np.random.bytes(12)
    data *= dtype.bytes
    info = client.put("named", data, dtype=dtype.name, shape=(3, 4))
    assert (info.dtype, info.shape) == (dtype.name, (3, 4))
    assert client.get_bytes("named") == data
    assert client.get("named").shape == (3, 4)


@pytest.mark.parametrize("shape", [(), (0,), (0, 7), (4, 0)], ids=str)
def test_scalars_and_empty(client, shape):
    array = np.ones(shape, "f4")
    assert client.put("a", array).shape == shape
    assert np.array_equal(client.get("a"), array)


def test_other_layouts_are_copied(client):
    array = np.arange(600.0, dtype="f4").reshape(20, 30)
    for view in (array.T, array[::2, ::3], np.asfortranarray(array), array[::-1]):
        client.put("a", view)
        assert np.array_equal(client.get("a"), view)


def test_buffers(client):
    for data in (b"bytes", bytearray(b"bytearray"), memoryview(b"memoryview")[2:6]):
        info = client.put("a", data)
        assert info.dtype == "U8"
        assert client.get_bytes("a") == bytes(data)
    with pytest.raises(BufferError):
        client.put("a", memoryview(b"memoryview")[::2])


def test_float32_is_compressed(client):
    array = np.random.randn(1 << 18).astype("f4")
    info = client.put("a", array, kind="weight", format="lossless")
    assert info.ratio > 1.05
    assert info.kind == "weight"
    assert client.stat("a").exponent_bits > 0
    assert client.get("a").tobytes() == array.tobytes()


# How far off a value may be, as a share of the largest: half a step, or a whole one where draws decide.
WHOLE_TENSOR_FORMATS = {
    **{"e4m3": 1 / 16, "e2m1": 1 / 4, "e4m3-c": 1 / 16, "fp8uq-e4m3": 1 / 8, "nvfp4": 1 / 4},
    **{"int8": 1 / 255, "int4": 1 / 15, "int8-c": 1 / 255, "grad1": 100, "grad1-top": 1.01, "bm8": 1 / 16},
}


@pytest.mark.parametrize("form", WHOLE_TENSOR_FORMATS)
@pytest.mark.parametrize("shape", [(40, 700), (300, 7), (3, 70_000)])
def test_formats_that_know_the_whole_tensor(client, form, shape):
    """The client looks at all values before the first is sent, and the daemon encodes them as they come."""
    values = np.random.default_rng(5).normal(0, 0.02, shape).astype("f4")
    info = client.put("t", values, format=form)
    assert info.format == form and info.stored_bytes < values.nbytes * 0.55
    back = client.get("t")
    assert np.abs(back - values).max() <= WHOLE_TENSOR_FORMATS[form] * np.abs(values).max()
    assert not np.array_equal(back, values)


def test_ranges_of_too_many_rows(client):
    with pytest.raises(spillway.SpillwayError, match="a put carries at most"):
        client.put("t", np.zeros((20_000, 2), "f4"), format="int8-c")
    client.put("t", np.full((4, 5), np.nan, "f4"), format="int8")
    assert np.isnan(client.get("t")).all()


def test_draws_follow_the_seed(client):
    values = np.random.default_rng(6).normal(0, 1, 5000).astype("f4")

    def drawn(name, **options):
        client.put(name, values, format="sfp-1-8-2-sr", **options)
        return client.get(name)

    assert np.array_equal(drawn("a", seed=7), drawn("b", seed=7))
    assert not np.array_equal(drawn("a", seed=7), drawn("a", seed=8))
    # Without one: of the name, and of the step.
    first, second = drawn("c"), drawn("c")
    assert not np.array_equal(first, second) and not np.array_equal(first, drawn("d"))
    assert abs(float(np.mean([drawn("c") for _ in range(50)], axis=0).mean() - values.mean())) < 0.01


def test_get_into(client):
    array = np.random.randn(100).astype("f4")
    client.put("a", array)
    out = np.zeros(120, "f4")
    assert client.get_into("a", out) == 400
    assert np.array_equal(out[:100], array) and not out[100:].any()
    with pytest.raises(spillway.UsageError) as caught:
        client.get_into("a", bytearray(399))
    assert caught.value.status_name == "NO_SPACE_IN_BUFFER"
    with pytest.raises(BufferError):
        client.get_into("a", bytes(400))


def test_get_range(client):
    array = np.random.randn(300000).astype("f4")
    raw = array.tobytes()
    client.put("a", array)
    for offset, length in [(0, 1), (3, 5), (262143, 2), (262144, 262144), (len(raw) - 1, 1), (0, len(raw)), (7, 0)]:
        assert client.get_range("a", offset, length) == raw[offset : offset + length]
    with pytest.raises(spillway.UsageError) as caught:
        client.get_range("a", len(raw) - 1, 2)
    assert caught.value.status_name == "RANGE"


def test_replacing(client):
    first = client.put("a", b"old")
    second = client.put("a", b"newer")
    assert second.generation > first.generation
    assert client.get_bytes("a") == b"newer"
    with pytest.raises(spillway.NotFoundError):
        client.get("a", generation=first.generation)


def test_list_stat_spaces(client):
    for name in ("b/2", "a/1", "b/1"):
        client.put(name, np.zeros((2, 3), "i4"), kind="gradient")
    client.put("elsewhere", b"x", space="other")
    assert [info.name for info in client.list()] == ["a/1", "b/1", "b/2"]
    assert [info.name for info in client.list("b/")] == ["b/1", "b/2"]
    info = client.stat("b/1")
    assert (info.dtype, info.shape, info.kind, info.raw_bytes) == ("I32", (2, 3), "gradient", 24)
    assert {space.space: space.objects for space in client.spaces()}.items() >= {("default", 3), ("other", 1)}
    assert client.free("elsewhere", space="other") == 1


def test_many_names(client):
    """More than one answer's worth to list, and more than one request's worth to free."""
    names = [f"{number:04d}/" + "x" * 100 for number in range(1500)]
    for name in names:
        client.put(name, b"x")
    assert [info.name for info in client.list()] == names
    assert client.free(iter([*names, "never-there"])) == 1500
    assert client.list() == []


def test_groups(client):
    group, other = client.new_group(), client.new_group()
    assert group != other
    for number in range(3):
        client.put(f"in/{number}", b"x", group=group)
    client.put("out", b"x", group=other)
    assert client.free_group(group) == 3
    assert [info.name for info in client.list()] == ["out"]


def test_group_ends_with_the_client(daemon, client):
    with spillway.Client(daemon.endpoint) as short:
        short.put("mine", b"x", group=short.new_group())
        short.put("lasting", b"x")
        assert len(client.list()) == 2
    assert [info.name for info in client.list()] == ["lasting"]


def test_stats_and_ping(client):
    client.put("a", b"x")
    stats = client.stats()
    assert stats and all(isinstance(value, int) for value in stats.values())
    assert 0 < client.ping() < 5


def test_errors(client):
    with pytest.raises(spillway.NotFoundError) as caught:
        client.get("nothing")
    assert caught.value.status_name == "NOT_FOUND"
    assert "nothing" in str(caught.value) or "no object" in str(caught.value)
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is type(caught.value) and again.status == caught.value.status
    assert client.free("nothing") == 0
    for call, error in [
        (lambda: client.put("", b"x"), spillway.UsageError),
        (lambda: client.put("a" * 1025, b"x"), spillway.UsageError),
        (lambda: client.put("a", b"x", format="nonsense"), spillway.UsageError),
        (lambda: client.put("a", b"x", dtype="nonsense"), ValueError),
        (lambda: client.put("a", b"x", kind="nonsense"), ValueError),
        (lambda: client.put("a", b"xyz", dtype="F32"), ValueError),
        (lambda: client.put("a", b"xyz", shape=(2, 2)), ValueError),
        (lambda: client.put("a\0b", b"x"), ValueError),
        (lambda: client.put("a", np.zeros(3, "datetime64[s]")), (TypeError, ValueError)),
        (lambda: client.put("a", 5), TypeError),
    ]:
        with pytest.raises(error):
            call()
    assert client.list() == []
    assert issubclass(spillway.DeadlineError, TimeoutError)


def test_a_torch_tensor_is_told_the_way(client):
    """The error says what to write, and what it says works."""
    tensor = torch.randn(3, 4, requires_grad=True)
    with pytest.raises(TypeError, match=r"torch.Tensor: pass tensor.detach\(\).cpu\(\).numpy\(\)"):
        client.put("a", tensor)
    assert client.put("a", tensor.detach().cpu().numpy()).dtype == "F32"
    half = tensor.bfloat16()
    info = client.put("a", half.detach().cpu().view(torch.int16).numpy(), dtype="BF16")
    assert (info.dtype, info.shape) == ("BF16", (3, 4))


def test_no_daemon(tmp_path):
    with pytest.raises(spillway.SystemCallError, match="no-such.sock") as caught:
        spillway.Client(f"unix:{tmp_path}/no-such.sock")
    assert caught.value.status_name == "ENOENT"
    with pytest.raises(spillway.UsageError):
        spillway.Client("not an endpoint")


def test_async(client):
    arrays = [np.random.randn(50000).astype("f4") for _ in range(20)]
    puts = [client.put_async(f"{number:02d}", array) for number, array in enumerate(arrays)]
    assert [ticket.result().name for ticket in puts] == [info.name for info in client.list()]
    assert all(ticket.done() for ticket in puts)
    gets = [client.get_async(f"{number:02d}") for number in range(20)]
    for array, ticket in zip(arrays, gets):
        assert np.array_equal(ticket.result(timeout=30), array)
        assert ticket.result() is ticket.result()
    out = bytearray(200000)
    assert client.get_async("03", out).result() is out
    assert out == arrays[3].tobytes()


def test_async_errors(client):
    ticket = client.get_async("nothing", bytearray(4))
    assert ticket.wait(30)
    for _ in range(2):
        with pytest.raises(spillway.NotFoundError):
            ticket.result()


def test_memory_is_lent_until_done(client):
    data = bytearray(8 << 20)
    ticket = client.put_async("a", data)
    if not ticket.done():
        with pytest.raises(BufferError):
            data.append(1)
    assert ticket.result(30).raw_bytes == 8 << 20
    data.append(1)


def test_dropped_tickets(client):
    """The memory stays until the requests are done, although nobody holds it."""
    for number in range(30):
        client.put_async(f"{number:02d}", np.full(100000, number, "i4"))
    gc.collect()
    client.put_async("last", b"x").result()
    for number in range(30):
        while not client.list(f"{number:02d}"):
            client.ping()
        assert (client.get(f"{number:02d}") == number).all()


def test_cancel(client):
    ticket = client.put_async("big", bytearray(32 << 20))
    ticket.cancel()
    assert ticket.wait(30)
    ticket.cancel()
    try:
        ticket.result()
    except spillway.SpillwayError as error:
        assert error.status_name == "CANCELLED"
        # Never half of it.
        assert client.list("big") == []


def test_close(daemon):
    client = spillway.Client(daemon.endpoint)
    client.put("a", b"x")
    done = client.get_async("a", bytearray(1))
    done.wait()
    under_way = client.put_async("b", bytearray(64 << 20), group=client.new_group())
    client.close()
    client.close()
    assert client.closed
    assert done.result() == b"x"
    for call in (
        client.ping,
        client.stats,
        client.new_group,
        under_way.result,
        lambda: client.put("a", b"x"),
        lambda: client.get_bytes("a"),
        lambda: client.put_async("a", b"x"),
    ):
        with pytest.raises(spillway.ClosedError):
            call()


def test_close_while_others_work(daemon):
    """Every thread ends with an answer or an error; none touches a client that is gone."""
    client = spillway.Client(daemon.endpoint)
    outcomes = []

    def work():
        data = np.zeros(200000, "f4")
        try:
            while True:
                client.put(f"work/{threading.get_ident()}", data)
        except spillway.SpillwayError as error:
            outcomes.append(error.status_name)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    client.ping()
    client.close()
    for thread in threads:
        thread.join(30)
    assert outcomes == ["CLOSED"] * 4


def test_threads_share_a_client(client):
    failures = []

    def work(number):
        array = np.full((100, 100), number, "f4")
        for step in range(25):
            client.put(f"{number}/{step}", array + step)
            if not np.array_equal(client.get(f"{number}/{step}"), array + step):
                failures.append((number, step))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert len(client.list()) == 150


def test_interpreter_shutdown(daemon):
    """A client, a ticket and a thread that nobody closes end the process cleanly."""
    script = f"""
import threading, spillway
client = spillway.Client({daemon.endpoint!r})
def work():
    # The client is closed under it. Left to the interpreter, the traceback could meet its own end half printed.
    try:
        while True:
            client.ping()
    except spillway.ClosedError:
        pass
threading.Thread(target=work, daemon=True).start()
ticket = client.put_async("left", bytearray(16 << 20), group=client.new_group())
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert "Fatal" not in ended.stderr


def test_missing_library_is_explained():
    script = "import os; os.environ['SPILLWAY_LIBRARY'] = '/nowhere/libspillway.so'; import spillway"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert "ImportError" in ended.stderr and "SPILLWAY_LIBRARY" in ended.stderr


def test_a_source_tree_offers_no_instrumented_library(tmp_path):
    """A sanitizer's build, however new, ends an interpreter that is not instrumented."""
    package = Path(spillway.__file__).parent
    shutil.copytree(package, tmp_path / "client/python/spillway")
    (tmp_path / "CMakePresets.json").write_text("{}")
    for age, preset in enumerate(["asan", "tsan", "fuzz", "dev", "release", "bench"]):
        library = tmp_path / "build" / preset / "client/libspillway.so"
        library.parent.mkdir(parents=True)
        library.write_bytes(b"")
        os.utime(library, (1e9 - age, 1e9 - age))
    # The true library is needed for the import itself.
    script = "import os, spillway; del os.environ['SPILLWAY_LIBRARY']; print(*spillway._native._candidates())"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "client/python")}
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, env=environment)
    found = [Path(line).parts[-3] for line in ended.stdout.split() if "build" in Path(line).parts]
    assert found == ["dev", "release", "bench"], ended.stderr


def test_only_arrays_need_numpy(daemon):
    """All else works where there is neither numpy nor torch, and what does not says so."""
    script = f"""
import sys
sys.modules["numpy"] = sys.modules["torch"] = None
import spillway
with spillway.Client({daemon.endpoint!r}) as client:
    client.put("without", bytearray(b"numpy"))
    assert client.get_bytes("without") == b"numpy" and client.list() and client.stats()
    try:
        client.get("without")
    except ImportError as missing:
        print(missing)
    client.free("without")
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert "install numpy" in ended.stdout


@pytest.mark.parametrize("form", [None, "sfp-1-4-2-sr", "fp8uq-e4m3", "int8-c", "bm6"])
def test_containers_without_a_daemon(client, form):
    array = np.random.default_rng(3).normal(size=(300, 70)).astype("f4")
    container = spillway.encode(array, form, seed=5)
    info = spillway.decode_info(container)
    assert (info.dtype, info.shape, info.raw_bytes) == ("F32", (300, 70), array.nbytes)
    client.put("w", array, format=form, seed=5)
    assert spillway.decode(container).tobytes() == client.get("w").tobytes()
    if form is None:
        assert spillway.decode(container).tobytes() == array.tobytes()


def test_containers_that_are_none():
    container = spillway.encode(np.arange(70000, dtype="f4"))
    for cut in (0, 31, 40, len(container) - 1):
        with pytest.raises(spillway.CorruptError):
            spillway.decode(container[:cut])
    with pytest.raises(spillway.CorruptError):
        spillway.decode(container + b"x")
    with pytest.raises(spillway.CorruptError):
        spillway.decode(container[:2000] + b"?" + container[2001:])
    with pytest.raises(spillway.UsageError, match="unknown format 'nonsense'"):
        spillway.encode(np.zeros(3, "f4"), "nonsense")
    assert spillway.decode(spillway.encode(np.zeros((3, 0), "f4"))).shape == (3, 0)
    assert spillway.decode(spillway.encode(np.float32(2.5))) == np.float32(2.5)
