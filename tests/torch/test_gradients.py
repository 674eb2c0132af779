"""Losses and gradients with offloading against plain torch: the same to the bit."""

import contextlib
import threading

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

import spillway
import spillway.torch
from models import CASES, Block, Convolutional, bits, gradients, image_loss, text_loss


# Each tensor waits for the daemon; some are under way at once; all are, and the backward pass overtakes them.
WINDOWS = (0, 256 << 10, 1 << 30)


def offloading(client, **options):
    return spillway.torch.offload(client, min_bytes=1024, **options)


def both_ways(client, run):
    """What run(context) gives without and with offloading: the same, although tensors really left."""
    torch.manual_seed(7)
    plain = run(contextlib.nullcontext())
    for window_bytes in WINDOWS:
        torch.manual_seed(7)
        offload = offloading(client, window_bytes=window_bytes)
        assert run(offload) == plain
        assert offload.stats.spilled + offload.stats.withdrawn > 0
        assert offload.stats.fetched > 0 or window_bytes > 0
        assert offload.stats.failures == 0


@pytest.mark.parametrize("make, loss_of", CASES)
def test_training_steps(client, gone, make, loss_of):
    def run(context):
        model = make()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        losses = []
        with context:
            for _ in range(4):
                loss = loss_of(model)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.detach())
        return bits(losses), bits(model.state_dict().values())

    both_ways(client, run)
    gone()


@pytest.mark.parametrize("make, loss_of", CASES)
def test_backward_after_the_block(client, gone, make, loss_of):
    def run(context):
        model = make()
        with context:
            loss = loss_of(model)
        loss.backward()
        return gradients(model)

    both_ways(client, run)
    gone()


@pytest.mark.parametrize("make, loss_of", CASES)
def test_retain_graph(client, gone, make, loss_of):
    def run(context):
        model = make()
        with context:
            loss = loss_of(model)
            loss.backward(retain_graph=True)
            first = gradients(model)
            loss.backward()
        return first, gradients(model)

    both_ways(client, run)
    gone()


@pytest.mark.parametrize("inside", [True, False])
def test_double_backward(client, gone, inside):
    def run(context):
        model = Block()
        with contextlib.ExitStack() as block:
            block.enter_context(context)
            x = torch.randn(4, 32, 64, requires_grad=True)
            loss = model(x).square().mean()
            if not inside:
                block.close()
            (slope,) = torch.autograd.grad(loss, x, create_graph=True)
            (loss + slope.square().sum()).backward()
        return gradients(model)

    both_ways(client, run)
    gone()


def test_autograd_grad(client, gone):
    def run(context):
        model = Convolutional()
        with context:
            loss = image_loss(model)
            return bits(torch.autograd.grad(loss, list(model.parameters())))

    both_ways(client, run)
    gone()


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_checkpointing(client, gone, use_reentrant):
    def run(context):
        first, second = Block(), Block()
        with context:
            x = torch.randn(4, 32, 64, requires_grad=True)
            middle = checkpoint(first, x * 2, use_reentrant=use_reentrant)
            loss = second(middle).square().mean()
            loss.backward()
        return bits([loss]), bits([x.grad]), gradients(first), gradients(second)

    both_ways(client, run)
    gone()


def test_mixed_precision(client, gone):
    def run(context):
        model = Convolutional()
        with context, torch.autocast("cpu", torch.bfloat16):
            loss = image_loss(model)
        loss.backward()
        return bits([loss]), gradients(model)

    both_ways(client, run)
    gone()


def test_several_threads(daemon, client, gone):
    """Each has a block of its own; all share one client."""
    results = {}

    def train(number, context):
        model = nn.Sequential(nn.Linear(64, 256), nn.GELU(), nn.Linear(256, 64))
        generator = torch.Generator().manual_seed(number)
        for parameter in model.parameters():
            parameter.data.normal_(generator=generator)
        with context:
            for _ in range(5):
                model(torch.randn(32, 64, generator=generator)).square().mean().backward()
        results.setdefault(number, []).append(gradients(model))

    threads = []
    for number in range(4):
        train(number, contextlib.nullcontext())
        threads.append(threading.Thread(target=train, args=(number, offloading(client, window_bytes=64 << 10))))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    for plain, spilled in results.values():
        assert plain == spilled
    assert len(results) == 4
    gone()


def test_data_loader_workers(client, gone):
    """They are forked in the middle of a block and end while it lasts."""

    class Numbers(torch.utils.data.Dataset):
        def __len__(self):
            return 32

        def __getitem__(self, index):
            # Saves something in the worker as well.
            weight = torch.full((1024,), float(index), requires_grad=True)
            (weight * torch.ones(1024) * weight.detach()).sum().backward()
            return weight.grad

    def run(context):
        model = nn.Sequential(nn.Linear(1024, 64), nn.Tanh(), nn.Linear(64, 1))
        with context:
            for batch in torch.utils.data.DataLoader(Numbers(), batch_size=8, num_workers=2):
                model(batch).square().mean().backward()
        return gradients(model)

    both_ways(client, run)
    gone()


def test_lossy_format_stays_near(client, gone):
    """A demanded format reaches the daemon: the gradients move, a little."""
    torch.manual_seed(7)
    model = nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 64))
    x = torch.randn(64, 64)
    model(x).square().mean().backward()
    exact = model[2].weight.grad.clone()
    model.zero_grad()
    with offloading(client, format="sfp-1-8-4", window_bytes=0) as offload:
        model(x).square().mean().backward()
    assert offload.stats.spilled > 0
    assert offload.stats.stored_bytes < offload.stats.raw_bytes / 2
    assert not torch.equal(model[2].weight.grad, exact)
    assert torch.allclose(model[2].weight.grad, exact, rtol=0.1, atol=0.01)
    gone()


def test_endpoint_instead_of_client(daemon, client, gone):
    model = Block()
    with spillway.torch.offload(daemon.endpoint, min_bytes=1024) as offload:
        text_loss(model).backward()
    assert offload.stats.spilled + offload.stats.withdrawn > 0
    gone()
