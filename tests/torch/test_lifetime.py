"""An object lives in the daemon exactly as long as autograd holds its handle."""

import gc
import threading
import time

import pytest
import torch

import spillway
import spillway.torch
from models import Block, Convolutional, image_loss, text_loss


def objects(client):
    return len(client.list("autograd/"))


def offloading(client, window_bytes=0):
    return spillway.torch.offload(client, min_bytes=1024, window_bytes=window_bytes)


def test_forward_without_backward(client, gone):
    with offloading(client) as offload:
        loss = text_loss(Block())
        assert objects(client) == offload.stats.spilled > 0
        del loss
        offload.flush()
        assert objects(client) == 0
        assert offload.stats.freed == offload.stats.spilled


def test_backward_frees(client):
    with offloading(client) as offload:
        loss = text_loss(Block())
        loss.backward()
        offload.flush()
        assert objects(client) == 0


def test_retained_graph_keeps(client, gone):
    with offloading(client) as offload:
        loss = text_loss(Block())
        loss.backward(retain_graph=True)
        offload.flush()
        assert objects(client) == offload.stats.spilled
        del loss
    gone()


def test_graph_outlives_the_block(client, gone):
    with offloading(client) as offload:
        loss = text_loss(Block())
    assert objects(client) == offload.stats.spilled > 0
    loss.backward(retain_graph=True)
    assert objects(client) == offload.stats.spilled
    del loss
    gone()


def test_graph_outlives_the_block_on_its_own_connection(daemon, client, gone):
    """The connection that the block made stays until the last handle is gone, and its thread with it."""
    before = threading.active_count()
    with offloading(daemon.endpoint) as offload:
        loss = text_loss(Block())
    assert objects(client) == offload.stats.spilled > 0
    loss.backward()
    del loss
    gone()
    until = time.monotonic() + 5
    while threading.active_count() > before:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_one_graph_of_two(client, gone):
    with offloading(client) as offload:
        first, second = text_loss(Block()), image_loss(Convolutional())
        total = objects(client)
        second.backward()
        offload.flush()
        assert 0 < objects(client) < total
        first.backward()
        offload.flush()
        assert objects(client) == 0


def test_exception_in_forward(client, gone):
    with pytest.raises(ZeroDivisionError):
        with offloading(client):
            text_loss(Block())
            raise ZeroDivisionError
    gone()


class Fails(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        raise ZeroDivisionError


def test_exception_in_backward(client, gone):
    model = Block()
    with offloading(client) as offload:
        x = torch.randn(4, 32, 64, requires_grad=True)
        loss = model(Fails.apply(model(x))).square().mean()
        with pytest.raises(ZeroDivisionError):
            loss.backward()
        # The same block goes on.
        model.zero_grad()
        text_loss(model).backward()
        assert offload.stats.failures == 0
        del loss
    gone()


def test_cycle_is_collected(client, gone):
    with offloading(client) as offload:
        holder = {"loss": text_loss(Block())}
        holder["self"] = holder
        del holder
        gc.collect()
        offload.flush()
        assert objects(client) == 0


def test_no_leak_through_saved_outputs(client, gone):
    """What stays in the process goes with its graph as well."""
    import weakref

    with spillway.torch.offload(client, min_bytes=1 << 30) as offload:
        y = torch.randn(64, 64, requires_grad=True).exp()
        alive = weakref.ref(y)
        del y
        assert alive() is None
        assert offload.stats.kept == {"small": 1}


def test_closing_the_client_frees(daemon, client, gone):
    other = spillway.Client(daemon.endpoint)
    with offloading(other):
        loss = text_loss(Block())
        assert objects(client) > 0
        other.close()
        gone()
        with pytest.raises(RuntimeError, match="autograd/.* is lost: the client is closed"):
            loss.backward()


def test_dropped_on_the_way(client, gone):
    """Graphs that end while their tensors may still be under way leave nothing behind."""
    with offloading(client, window_bytes=1 << 30) as offload:
        for _ in range(20):
            loss = text_loss(Block())
            del loss
        offload.flush()
        assert objects(client) == 0
    assert offload.stats.spilled == offload.stats.freed
    assert (offload.stats.spilled + offload.stats.withdrawn) % 20 == 0
    assert not offload.stats.kept.get("cancelled")


def test_many_small_steps(client, gone):
    """Frees keep up: the daemon never holds much more than one step's tensors."""
    model = torch.nn.Sequential(torch.nn.Linear(64, 256), torch.nn.ReLU(), torch.nn.Linear(256, 64))
    most = 0
    with offloading(client) as offload:
        for step in range(200):
            model(torch.randn(32, 64)).square().mean().backward()
            if step % 20 == 0:
                most = max(most, objects(client))
    assert offload.stats.spilled >= 400
    assert offload.stats.freed == offload.stats.spilled
    assert most < 200
    gone()
