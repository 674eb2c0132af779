"""offload() with a function that chooses each tensor's format."""

import pytest
import torch

import spillway
import spillway.torch
from spillway.torch import Demand


class _Twice(torch.autograd.Function):
    """Saves what it is given, and hands it back in the backward pass."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, seen: list) -> torch.Tensor:
        ctx.save_for_backward(x)
        ctx.seen = seen
        return x.clone()

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple:
        ctx.seen.append(ctx.saved_tensors[0].clone())
        return gradient, None


def test_each_tensor_in_its_own_format(client) -> None:
    seen, asked = [], []

    def choose(tensor: torch.Tensor) -> Demand | str:
        asked.append(tensor.shape)
        return Demand("sfp-0-8-1", label="rough") if tensor.shape[0] == 100 else "lossless"

    rough, fine = torch.randn(100, 500, requires_grad=True) * 1, torch.randn(200, 500, requires_grad=True) * 1
    with spillway.torch.offload(client, format=choose) as offload:
        (_Twice.apply(rough, seen).sum() + _Twice.apply(fine, seen).sum()).backward()
    assert len(asked) == 2
    by_rows = {len(tensor): tensor for tensor in seen}
    assert torch.equal(by_rows[200], fine)
    # What is in the daemon comes back, and not what happened to be still at hand.
    kept = (rough.detach().view(torch.int32) & ~((1 << 22) - 1)).view(torch.float32)
    assert torch.equal(by_rows[100], kept)
    assert offload.stats.labels["rough"].raw_bytes == 200_000


def test_a_storage_is_shared_by_saves_of_one_format(client) -> None:
    seen, formats = [], iter(["lossless", "lossless", "sfp-0-8-0"])
    x = torch.randn(100, 500, requires_grad=True) * 1
    with spillway.torch.offload(client, format=lambda _: next(formats), window_bytes=0) as offload:
        loss = sum(_Twice.apply(x, seen).sum() for _ in range(3))
        assert (offload.stats.spilled, offload.stats.shared) == (2, 1)
        loss.backward()
    assert sum(torch.equal(tensor, x) for tensor in seen) == 2


def test_a_format_that_is_none_is_kept_and_said(client) -> None:
    x = torch.randn(100, 500, requires_grad=True) * 1
    with spillway.torch.offload(client, format=lambda _: "nonsense", window_bytes=0) as offload:
        with pytest.warns(RuntimeWarning, match="refuses"):
            loss = _Twice.apply(x, []).sum()
        loss.backward()
    assert offload.stats.spilled == 0 and offload.stats.kept
