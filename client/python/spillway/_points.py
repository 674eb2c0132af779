"""Points of a network where values are quantised, and what autograd does there.

A point is one tensor of a step: a layer's weight, or what a layer saves for its backward pass. Its values are replaced
by what a container would give back, and gradients go straight through. The result is what the layers behind it save,
so that what is spilled is what was computed with.

How the loss changes with the bitlength needs more of a value than the container has: whether the next bit was set, or
the value above the smallest of the range. Of every eighth sample that is kept beside it, as the difference that one
more bit of each kind makes, and saved like everything else: it is part of the cost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from . import _kernels
from ._kernels import FULL, TRUNCATE, Widths

if TYPE_CHECKING:
    from .torch_quantize import Quantized


class Point:
    """One tensor of every step. `share` is its part of all the network's values, which its bits are weighed by."""

    def __init__(self, owner: Quantized, name: str, kind: str, index: int) -> None:
        self.owner = owner
        self.name = name
        self.kind = kind
        self.index = index
        self.values = 0
        self.share = 0.0
        self.signed = True
        # No gradient reaches it, so nothing would tell what it is worth: it stays as it is.
        self.lossless = False
        # Of learners with a bitlength for each tensor: whole ones below, those drawn, and the slopes of this step.
        self.floor = self.drawn = Widths(23, 8)
        self.slopes = [0.0, 0.0]
        self.e_max = -1
        # The smallest format for values of these widths, and the step in which it was found so.
        self.codings: dict[Widths, tuple[str, int]] = {}


class Quantise(torch.autograd.Function):
    """Quantised values; gradients straight through."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, point: Point) -> torch.Tensor:
        x = x.contiguous()
        quantised, kept = point.owner.apply(point, x)
        ctx.point, ctx.has_kept = point, kept is not None
        ctx.original = x if point.kind == "weight" else None
        if kept is not None:
            ctx.save_for_backward(quantised, kept)
        return quantised

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple:
        if ctx.has_kept:
            ctx.point.owner.learn(ctx.point, gradient, *ctx.saved_tensors)
        elif ctx.original is not None:
            ctx.point.owner.learn_weight(ctx.point, gradient, ctx.original)
        return ctx.point.owner.backward_value(gradient), None


class Relu(torch.autograd.Function):
    """torch.relu with its result quantised, by which gradients are cut: the next layer saves the same."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, point: Point) -> torch.Tensor:
        return _result_taken(ctx, torch.relu(x), point)

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple:
        gradient, result = _result_back(ctx, gradient)
        return gradient * (result > 0), None


class Softmax(torch.autograd.Function):
    """torch.softmax, likewise."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, point: Point, dim: int) -> torch.Tensor:
        ctx.dim = dim
        return _result_taken(ctx, torch.softmax(x, dim), point)

    @staticmethod
    def backward(ctx, gradient: torch.Tensor) -> tuple:
        gradient, result = _result_back(ctx, gradient)
        weighed = gradient * result
        return weighed - result * weighed.sum(ctx.dim, keepdim=True), None, None


def _result_taken(ctx, result: torch.Tensor, point: Point) -> torch.Tensor:
    """Quantises what a function came to and saves it for the backward pass."""
    point.signed = False
    quantised, kept = point.owner.apply(point, result.contiguous())
    ctx.point = point
    ctx.save_for_backward(*((quantised,) if kept is None else (quantised, kept)))
    return quantised


def _result_back(ctx, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    quantised, *kept = ctx.saved_tensors
    if kept:
        ctx.point.owner.learn(ctx.point, gradient, quantised, *kept)
    return ctx.point.owner.backward_value(gradient), quantised


def can_quantise(tensor: object) -> bool:
    return (
        isinstance(tensor, torch.Tensor)
        and tensor.dtype in FULL
        and tensor.device.type == "cpu"
        and tensor.layout is torch.strided
        and tensor.numel() > 0
    )


def wider_difference(x: torch.Tensor, quantised: torch.Tensor, floor: Widths, e_max: int) -> torch.Tensor:
    """What one more bit of mantissa and of exponent than `floor` would add to the quantised values: exact in the type,
    for it is one bit, or a value where there is none now."""
    full = FULL[x.dtype]
    wide = Widths(min(full[0], floor.mantissa + 1), min(full[1], floor.exponent + 1))
    wider, _ = _kernels.quantise(x, wide, TRUNCATE, e_max=e_max)
    return wider.sub_(quantised)


def slopes_of(
    wide: torch.Tensor, gradient: torch.Tensor, floor: Widths, drawn: Widths, e_max: int
) -> tuple[float, float]:
    """dL/dn of mantissa and exponent from values that have one bit more of each, each at the other's drawn width."""
    mantissa = _kernels.slope(wide, gradient, Widths(floor.mantissa, drawn.exponent), False, TRUNCATE, e_max)
    exponent = _kernels.slope(wide, gradient, Widths(drawn.mantissa, floor.exponent), True, TRUNCATE, e_max)
    return mantissa, exponent
