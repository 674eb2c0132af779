"""Memory that changes, moves or goes without torch's knowing, and what is shared all the same."""

import contextlib
import os
import socket

import numpy as np
import pytest
import torch

import spillway
import spillway.torch
from spillway._fingerprint import _BLOCK_BYTES
from test_saved import Save

WINDOWS = (0, 1 << 30)


def offloading(client, **options):
    return spillway.torch.offload(client, min_bytes=1, **options)


def untyped(tensor):
    return tensor.untyped_storage() if hasattr(tensor, "untyped_storage") else tensor.storage().untyped()


def refill_numpy(tensor, buffer):
    buffer[:] = 2


def refill_data(tensor, buffer):
    tensor.data.fill_(2)


def refill_shared(tensor, buffer):
    # Another tensor over the same memory, as a second process has it.
    torch.from_numpy(buffer).fill_(2)


@pytest.mark.parametrize("refill", [refill_numpy, refill_data, refill_shared])
@pytest.mark.parametrize("window_bytes", WINDOWS)
def test_a_refilled_input_is_another_object(client, gone, refill, window_bytes):
    """A step whose backward pass is skipped leaves its input in the daemon; the next one has its own."""

    def run(context):
        torch.manual_seed(0)
        buffer = np.ones((64, 256), "f4")
        x, linear = torch.from_numpy(buffer), torch.nn.Linear(256, 10)
        with context:
            skipped = linear(x)
            refill(x, buffer)
            linear(x).sum().backward()
            del skipped
        return linear.weight.grad.numpy().tobytes()

    assert run(offloading(client, window_bytes=window_bytes)) == run(contextlib.nullcontext())
    gone()


@pytest.mark.parametrize("window_bytes", WINDOWS)
def test_a_result_changed_behind_torch_is_another_object(client, gone, window_bytes):
    x = torch.randn(64, 64, requires_grad=True)
    with offloading(client, window_bytes=window_bytes) as offload:
        y = x * 1
        first = y.sin()
        y.data.mul_(2)
        second = y.cos()
        offload.flush()
        (slope,) = torch.autograd.grad(second.sum(), x)
        assert torch.equal(slope, -(2 * x.detach()).sin())
        assert offload.stats.shared == 0
        del first
    gone()


def test_a_part_is_compared_and_not_the_whole(client, gone):
    """A write behind torch's back concerns those who show what was written."""
    rows, width = 16, _BLOCK_BYTES // 4
    x = torch.randn(rows, width)
    anchor = torch.zeros(1, requires_grad=True)
    with offloading(client, window_bytes=0) as offload:
        whole = Save.apply(anchor, x)
        x.numpy()[5, 17] = 7
        same = Save.apply(anchor, x[9])
        assert (offload.stats.spilled, offload.stats.shared) == (1, 1)
        other = Save.apply(anchor, x[5])
        assert (offload.stats.spilled, offload.stats.shared) == (2, 1)
        for saved, expected in ((same, x[9]), (other, x[5])):
            saved.backward()
            assert torch.equal(Save.seen[0], expected)
        del whole, same, other, saved
    gone()


@pytest.mark.parametrize("window_bytes", WINDOWS)
def test_aliases_share_while_their_bytes_agree(client, gone, window_bytes):
    """x, x.detach() and x.data are one storage, whatever counts their versions."""
    x = torch.randn(100, 100)
    anchor = torch.zeros(1, requires_grad=True)
    with offloading(client, window_bytes=window_bytes) as offload:
        saved = Save.apply(anchor, x, x.detach(), x.data, x.detach().t())
        assert offload.stats.shared == 3
        saved.backward()
        for seen, original in zip(Save.seen, (x, x, x, x.t())):
            assert torch.equal(seen, original)
        Save.seen = ()
        # Each keeps to its own counter.
        data = x.data
        plain, aliased = Save.apply(anchor, x), Save.apply(anchor, data)
        data.add_(0)
        plain.backward()
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            aliased.backward()
        Save.seen = ()
        del saved, plain, aliased
    gone()


@pytest.mark.parametrize("window_bytes", WINDOWS)
def test_what_is_no_result_goes_as_it_was_saved(make_daemon, window_bytes):
    """A loader that refills its buffer while the batch is on its way changes nothing."""
    daemon = make_daemon()
    anchor = torch.zeros(1, requires_grad=True)
    buffer = np.random.randn(1 << 20).astype("f4")
    was = torch.from_numpy(buffer.copy())
    with spillway.Client(daemon.endpoint) as client, offloading(client, window_bytes=window_bytes) as offload:
        with daemon.frozen() if window_bytes else contextlib.nullcontext():
            saved = Save.apply(anchor, torch.from_numpy(buffer))
            buffer[:] = 7
        offload.flush()
        saved.backward()
        assert offload.stats.fetched == 1
        assert torch.equal(Save.seen[0], was)


# The sanitizer ends the process where a put reads freed memory, which is what these tests bring about on purpose.
moves_memory = pytest.mark.skipif("asan" in os.environ.get("LD_PRELOAD", ""), reason="ends under AddressSanitizer")


def resize_in_place(y):
    y.detach().resize_(4 * y.numel())


def shrink_and_restore(y):
    """What sharded training does to the storages of gathered weights."""
    bytes_ = untyped(y).nbytes()
    was = y.detach().clone()
    untyped(y).resize_(0)
    # A larger one in between, so that the allocator does not hand out the same place again.
    untyped(y).resize_(2 * bytes_)
    y.detach().numpy()[:] = was.numpy()


@moves_memory
@pytest.mark.parametrize("move", [resize_in_place, shrink_and_restore])
def test_memory_that_moves_under_way_stays(make_daemon, move):
    """The put may have read freed memory: what it brought is thrown away, and the tensor stays in the process."""
    daemon = make_daemon()
    # Larger than what the socket takes at once.
    x = torch.randn(1 << 20, requires_grad=True)
    with spillway.Client(daemon.endpoint) as client, offloading(client, window_bytes=1 << 30) as offload:
        with daemon.frozen():
            y = x.exp()
            total = y.sum()
            move(y)
            noise = [torch.full((1 << 20,), 7.0) for _ in range(4)]
        offload.flush()
        assert offload.stats.kept.get("moved") == 1, offload.stats
        assert client.list("autograd/") == []
        del noise
        total.backward()
        assert torch.equal(x.grad, x.detach().exp())
        assert offload.stats.failures == 0


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("how", ["argument", "environment"])
def test_over_tcp_the_library_reads_a_copy(make_daemon, monkeypatch, how):
    """It computes checksums there: memory that is taken away would be the end of the process."""
    endpoint = f"tcp:127.0.0.1:{free_port()}"
    daemon = make_daemon("256M", "--listen", endpoint)
    monkeypatch.setenv("SPILLWAY_ENDPOINT", endpoint)
    x = torch.randn(8 << 20, requires_grad=True)
    with spillway.Client(endpoint if how == "argument" else None) as client:
        with offloading(client, window_bytes=1 << 30) as offload:
            with daemon.frozen():
                total = (y := x.exp()).sum()
                untyped(y).resize_(0)
            offload.flush()
            total.backward()
    assert torch.equal(x.grad, x.detach().exp())
    assert offload.stats.spilled == 1 and not offload.stats.kept


@moves_memory
def test_memory_that_is_gone_is_an_error(make_daemon):
    daemon = make_daemon()
    x = torch.randn(1 << 20, requires_grad=True)
    with pytest.raises(RuntimeError, match="autograd/.* is lost: its storage was made smaller"):
        with offloading(daemon.endpoint, window_bytes=1 << 30) as offload:
            with daemon.frozen():
                y = x.exp()
                total = y.sum()
                untyped(y).resize_(16)
            offload.flush()
            total.backward()
    assert offload.stats.failures == 1


def test_a_refused_input_is_not_held_twice(make_daemon):
    """The copy that was to be sent goes; what stays is the original."""
    daemon = make_daemon("16M")
    x = torch.randn(8 << 20)
    anchor = torch.zeros(1, requires_grad=True)
    with offloading(daemon.endpoint) as offload:
        saved = Save.apply(anchor, x)
        offload.flush()
        assert offload.stats.kept_bytes == 32 << 20
        saved.backward()
        assert Save.seen[0].data_ptr() == x.data_ptr()
        Save.seen = ()
