"""The trainer lives: a daemon that is absent, full, killed or restarted, and forked children."""

import gc
import os
import pickle
import signal
import time

import pytest
import torch
from torch.multiprocessing.reductions import StorageWeakRef

import spillway
import spillway.torch
from models import Block, gradients, text_loss


def plain_gradients(seed):
    torch.manual_seed(seed)
    model = Block()
    text_loss(model).backward()
    return gradients(model)


def offloaded_gradients(seed, offload):
    torch.manual_seed(seed)
    model = Block()
    with offload:
        text_loss(model).backward()
    return gradients(model)


def test_absent_daemon(tmp_path):
    offload = spillway.torch.offload(f"unix:{tmp_path}/nothing.sock", min_bytes=1024, window_bytes=0)
    with pytest.warns(RuntimeWarning, match="nothing.sock"):
        assert offloaded_gradients(1, offload) == plain_gradients(1)
    assert offload.stats.spilled == 0
    assert offload.stats.kept["absent"] > 0
    assert offload.stats.kept_bytes > 0
    assert "nothing.sock" in offload.stats.last_error


@pytest.mark.parametrize("window_bytes", [0, 4 << 20])
def test_full_daemon(make_daemon, window_bytes):
    daemon = make_daemon("16M")
    torch.manual_seed(2)
    x = torch.randn(256, 1024, requires_grad=True)

    def step():
        x.grad = None
        y = x
        for _ in range(24):
            y = y.tanh()
        y.sum().backward()
        return x.grad.numpy().tobytes()

    plain = step()
    with spillway.torch.offload(daemon.endpoint, window_bytes=window_bytes) as offload:
        for _ in range(3):
            assert step() == plain
    kept = sum(offload.stats.kept.get(reason, 0) for reason in ("full", "retry", "quota"))
    assert kept > 0
    assert offload.stats.spilled > 0
    # Room that the backward pass gives back is used again.
    assert offload.stats.spilled + offload.stats.withdrawn + kept == 3 * 24
    assert offload.stats.failures == 0


def test_refused_tensors_go_with_their_graph(make_daemon):
    """At once, and not when the garbage collector comes by: they are as large as memory is short."""
    daemon = make_daemon("16M")
    x = torch.randn(8 << 20, requires_grad=True)
    gc.disable()
    try:
        with spillway.torch.offload(daemon.endpoint) as offload:
            y = x.exp()
            storage = StorageWeakRef(y.storage())
            total = y.sum()
            del y
            offload.flush()
            assert offload.stats.kept.get("full", 0) + offload.stats.kept.get("too_large", 0) == 1
            assert not storage.expired()
            total.backward()
            assert storage.expired()
    finally:
        gc.enable()


def test_tensor_larger_than_the_store(make_daemon):
    daemon = make_daemon("16M")
    x = torch.randn(8 << 20, requires_grad=True)
    with spillway.torch.offload(daemon.endpoint) as offload:
        x.exp().sum().backward()
    assert torch.equal(x.grad, x.detach().exp())
    assert offload.stats.spilled == 0
    assert sum(offload.stats.kept.values()) >= 1


def test_damaged_tensor(make_daemon):
    """A bit turned in the daemon's memory ends in an error that names the tensor, and never in a gradient."""
    daemon = make_daemon()
    generator = torch.Generator().manual_seed(6)
    # Numbers, which are stored as they are: the bytes can be found.
    saved = torch.randint(1 << 60, (200, 64), generator=generator)
    x = torch.randn(200, 64, requires_grad=True)
    with pytest.raises(spillway.CorruptError, match="autograd/.* could not be fetched"):
        with spillway.torch.offload(daemon.endpoint, window_bytes=0) as offload:
            y = (x * saved).sum()
            assert offload.stats.spilled >= 1
            try:
                assert daemon.damage(saved.numpy().tobytes()[5000:5064]) >= 1
            except PermissionError:
                pytest.skip("the memory of another process may not be touched here")
            y.backward()
    assert x.grad is None
    assert offload.stats.corrupt == offload.stats.failures == 1


def test_daemon_killed_before_backward(make_daemon):
    daemon = make_daemon()
    offload = spillway.torch.offload(daemon.endpoint, min_bytes=1024, timeout=1, window_bytes=0)
    with pytest.raises(spillway.SpillwayError, match="autograd/") as caught:
        with offload:
            loss = text_loss(Block())
            assert offload.stats.spilled > 0
            daemon.kill()
            loss.backward()
    assert isinstance(caught.value, (spillway.TensorLostError, spillway.DeadlineError))
    assert offload.stats.failures == 1


def test_overtaken_puts(make_daemon):
    """A backward pass that comes before its tensors have arrived takes them from where they still are."""
    daemon = make_daemon()
    client = spillway.Client(daemon.endpoint)
    expected = plain_gradients(5)
    with spillway.torch.offload(client, min_bytes=1024, window_bytes=1 << 30) as offload:
        with daemon.frozen():
            torch.manual_seed(5)
            model = Block()
            text_loss(model).backward()
        assert gradients(model) == expected
        offload.flush()
        assert offload.stats.fetched == 0
        assert offload.stats.spilled + offload.stats.withdrawn > 10
        assert offload.stats.spilled == offload.stats.freed
        assert client.list("autograd/") == []
    client.close()


def test_overtaken_put_that_changed(make_daemon):
    """The tensor is still there, but it is not what was saved."""
    daemon = make_daemon()
    with spillway.torch.offload(daemon.endpoint, window_bytes=1 << 30):
        with daemon.frozen():
            y = torch.randn(1 << 20, requires_grad=True).exp()
            y.detach()[17] = 0
            with pytest.raises(RuntimeError, match="modified by an inplace operation"):
                y.sum().backward()


def test_window_is_bounded(make_daemon):
    """With the daemon too slow, a save waits: no more than the window is held, and its own deadline ends the wait."""
    daemon = make_daemon()
    with spillway.torch.offload(daemon.endpoint, timeout=0.5, window_bytes=8 << 20) as offload:
        x = torch.randn(1 << 20, requires_grad=True)
        with daemon.frozen():
            y = x
            begin = time.monotonic()
            for _ in range(6):
                y = y.tanh()
            assert 0.3 < time.monotonic() - begin < 3
        y.sum().backward()
        assert offload.stats.kept["timeout"] > 0
        assert offload.stats.kept_bytes <= 6 * 4 << 20
    expected = torch.ones_like(x)
    value = x.detach()
    for _ in range(6):
        value = value.tanh()
        expected = expected * (1 - value * value)
    assert torch.allclose(x.grad, expected, atol=1e-6)


@pytest.mark.parametrize("window_bytes", [0, 1 << 30])
def test_daemon_killed_in_forward(make_daemon, window_bytes):
    """What comes after stays in the process, and a step costs one deadline, not one per tensor."""
    daemon = make_daemon()
    client = spillway.Client(daemon.endpoint)
    expected = plain_gradients(3)
    offload = spillway.torch.offload(client, min_bytes=1024, timeout=1, window_bytes=window_bytes)
    with offload:
        text_loss(Block()).backward()
        offload.flush()
        daemon.kill()
        spilled = offload.stats.spilled
        begin = time.monotonic()
        torch.manual_seed(3)
        model = Block()
        text_loss(model).backward()
        assert time.monotonic() - begin < 4
        assert gradients(model) == expected
        assert offload.stats.spilled == spilled
        # With a window the backward pass overtook the puts, and found no need to know how they ended.
        assert offload.stats.last_error or window_bytes
    client.close()


def test_daemon_restarted(make_daemon):
    """Spilled tensors are lost and say so; later ones are spilled again."""
    daemon = make_daemon()
    client = spillway.Client(daemon.endpoint)
    expected = plain_gradients(4)
    with spillway.torch.offload(client, min_bytes=1024, timeout=2, window_bytes=0) as offload:
        loss = text_loss(Block())
        daemon.kill()
        daemon.start()
        # Before version 2, torch makes a plain RuntimeError of what is raised in a backward pass.
        with pytest.raises(RuntimeError, match="autograd/.* is lost"):
            loss.backward()
        del loss
        before = offload.stats.spilled
        until = time.monotonic() + 20
        while offload.stats.spilled == before and time.monotonic() < until:
            torch.manual_seed(4)
            model = Block()
            text_loss(model).backward()
            assert gradients(model) == expected
        assert offload.stats.spilled > before
    client.close()


def in_child(action):
    """Runs it in a forked child and hands back its value, or how the child ended."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.write(write, pickle.dumps(action()))
            status = 0
        finally:
            os._exit(status)
    os.close(write)
    answer = b""
    while part := os.read(read, 65536):
        answer += part
    os.close(read)
    _, status = os.waitpid(child, 0)
    assert status == 0
    return pickle.loads(answer)


def refusal(call):
    try:
        call()
    except spillway.SpillwayError as error:
        return error.status_name
    except RuntimeError as error:
        # Before version 2, torch makes this of what is raised in a backward pass.
        return "FORKED" if "belongs to the parent process" in str(error) else str(error)
    return "none"


def test_forked_child(client, gone):
    x = torch.randn(64, 64, requires_grad=True)
    with spillway.torch.offload(client, min_bytes=1024, window_bytes=0) as offload:
        loss = x.exp().sum()

        def everything():
            results = [
                refusal(client.ping),
                refusal(lambda: client.put("child", b"abc")),
                refusal(client.stats),
                refusal(loss.backward),
            ]
            client.close()
            # What the child saves stays there.
            y = torch.randn(64, 64, requires_grad=True)
            y.exp().sum().backward()
            return results, offload.stats.kept.get("forked"), y.grad is not None

        results, kept, worked = in_child(everything)
        assert results == ["FORKED"] * 4
        assert kept == 1 and worked
        # The child's end took nothing away from the parent.
        assert client.ping() > 0
        loss.backward()
        assert torch.equal(x.grad, x.detach().exp())
    gone()


def test_child_does_not_outlive_the_trainer_in_the_daemon(make_daemon):
    """A killed trainer's tensors go after the grace, although a worker that it forked lives on."""
    daemon = make_daemon("256M", "--grace", "200ms")
    with spillway.Client(daemon.endpoint) as watcher:
        read, write = os.pipe()
        trainer = os.fork()
        if trainer == 0:
            own = spillway.Client(daemon.endpoint)
            own.put("activation", b"x" * 100000, group=own.new_group())
            worker = os.fork()
            if worker != 0:
                os.write(write, b"%d" % worker)
            time.sleep(60)
            os._exit(0)
        worker = int(os.read(read, 20))
        assert len(watcher.list()) == 1
        os.kill(trainer, signal.SIGKILL)
        os.waitpid(trainer, 0)
        try:
            until = time.monotonic() + 5
            while watcher.list():
                assert time.monotonic() < until, "the worker keeps the session alive"
                time.sleep(0.02)
        finally:
            os.kill(worker, signal.SIGKILL)
        os.close(read)
        os.close(write)


def test_child_connects_anew(daemon, client):
    def connect():
        with spillway.Client(daemon.endpoint) as own:
            own.put("from-child", b"hello")
            return True

    assert in_child(connect)
    assert client.get_bytes("from-child") == b"hello"
    client.free("from-child")
