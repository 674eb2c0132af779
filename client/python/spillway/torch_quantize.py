"""Learned bitlengths in a PyTorch training run.

    import spillway.torch

    run = spillway.torch.Run(seed=1, steps=epochs * len(loader))
    quantized = spillway.torch.quantize(model, "qm+qe", run)
    with quantized.offload():
        for images, labels in loader:
            loss = loss_of(model(images), labels)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            run.report(loss, lr)

Weights, and what layers save for the backward pass, are replaced by what a container of few bits leaves of them, and
that is spilled, losslessly coded on top: a spilled tensor takes what its bitlengths say or less. The methods are those
of Schroedinger's FP (arXiv 2204.13666) and BitPruning (arXiv 2002.03090).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn
from torch.multiprocessing.reductions import StorageWeakRef

from . import _kernels
from ._account import Account
from ._entry import Demand
from ._footprint import storage_of
from ._kernels import FULL, Widths
from ._learners import Fixed, LossDriven, PerTensor, Shared, Step
from ._learning import Learning, learning_from, learning_of
from ._places import Places, Tap
from ._points import Point, can_quantise, slopes_of, wider_difference
from ._run import Run
from .policy import Policy
from .run import Learned
from .run import Run as SharedRun

__all__ = ["Learning", "PointBits", "Quantized", "Run", "Tap", "learning_of", "quantize"]

# The daemon is shown learned bitlengths once in so many steps.
_SHOW_EVERY = 10

# Bits of the integers that BitPruning's differences are kept in.
_KEPT_INTEGER = 6

# A tensor's coding is chosen anew after so many steps.
_LOOK_AGAIN = 100


class PointBits(NamedTuple):
    """Bitlengths of one tensor: real-valued while they are learned."""

    name: str
    kind: str
    values: int
    mantissa: float
    exponent: float
    lossless: bool


class Quantized:
    """See quantize(). `points` come as the network first shows them."""

    def __init__(self, model: nn.Module, learning: Learning, run: Run) -> None:
        self.model = model
        self.learning = learning
        self.run = run
        self.points: dict[str, Point] = {}
        self._learner = _learner_of(learning, run)
        # Storages of this step that are quantised, and how they are to be stored.
        self._demands: dict[int, tuple[StorageWeakRef, int, Demand]] = {}
        self._set_in: dict[str, int] = {}
        self._probing: Widths | None = None
        self.account = Account()
        self._places = Places(self, learning.saved_only)
        run._join(self)

    @property
    def frozen(self) -> bool:
        return self._learner.frozen

    def bits(self) -> list[PointBits]:
        """Of every point, in the order in which the network has them."""
        return [
            PointBits(point.name, point.kind, point.values, *self._bits_of(point), point.lossless)
            for point in self.points.values()
        ]

    def mean_bits(self) -> tuple[float, float]:
        """Mantissa and exponent bits, each tensor weighed by its values."""
        if self.learning.format is not None:
            return float(self.learning.format_mantissa), 0.0
        if self.learning.saved_only:
            return tuple(map(float, self._saved_widths()))  # type: ignore[return-value]
        learned = [bits for bits in self.bits() if not bits.lossless]
        values = sum(bits.values for bits in learned) or 1
        mantissa = sum(bits.values * bits.mantissa for bits in learned) / values
        return mantissa, sum(bits.values * bits.exponent for bits in learned) / values

    def penalty(self) -> float:
        """The regulariser: gamma x the sum of share x bitlength. Its gradient is in each step of n."""
        return self.learning.gamma * sum(
            point.share * sum(self._bits_of(point)) for point in self.points.values() if not point.lossless
        )

    def offload(self, client: object = None, **options: object):
        """spillway.torch.offload(), with each tensor in the format that its bitlengths ask for."""
        from .torch import offload

        return offload(client, format=self.demand, **options)  # type: ignore[arg-type]

    def demand(self, tensor: torch.Tensor) -> Demand:
        """For offload's `format`: how this tensor is to be stored."""
        if noted := self._noted(tensor):
            return noted
        if not self._places.inside or not can_quantise(tensor):
            # Of the loss, or no values at all: nothing that a bitlength was found for.
            return Demand("lossless", label="other")
        return self._demand_saved(tensor) if self.learning.saved_only else Demand("lossless")

    def _demand_saved(self, tensor: torch.Tensor) -> Demand:
        demand = Demand(self._saved_format())
        self._note(tensor, demand)
        if self.learning.format is None:
            self.account.widths(tensor.numel(), bool((tensor < 0).any()), self._saved_widths())
        return demand

    def detach(self) -> None:
        """Takes everything out of the model again. What autograd holds stays good."""
        self._places.detach()

    def state_dict(self) -> dict:
        points = [(p.name, p.kind, p.values, p.share, p.signed, p.lossless) for p in self.points.values()]
        return {"points": points, "learner": self._learner.state_dict()}

    def load_state_dict(self, state: dict) -> None:
        self.points = {}
        for name, kind, values, share, signed, lossless in state["points"]:
            point = self.point(name, kind)
            point.values, point.share, point.signed, point.lossless = values, share, signed, lossless
        self._learner.load_state_dict(state["learner"])

    # For the places in the model

    def begin(self, inputs: tuple) -> None:
        """A forward pass begins. What the network is given is no result of ours: no gradient tells what it is worth."""
        self._demands.clear()
        for tensor in inputs:
            if not isinstance(tensor, torch.Tensor) or tensor.requires_grad:
                continue
            self._note(tensor, Demand("lossless", label="" if can_quantise(tensor) else "other"))
            if can_quantise(tensor) and self.model.training and self._probing is None:
                self.account.exact(tensor)

    def point(self, name: str, kind: str) -> Point:
        if name not in self.points:
            self.points[name] = Point(self, name, kind, len(self.points))
        return self.points[name]

    def is_quantised(self, x: torch.Tensor) -> bool:
        return self._noted(x) is not None

    def _noted(self, tensor: torch.Tensor) -> Demand | None:
        """What holds for a tensor's storage, unless it was written since: its values may then be any."""
        found = self._demands.get(storage_of(tensor)._cdata)
        if found is None or found[0].expired() or found[1] != _version_of(tensor):
            return None
        return found[2]

    def _note(self, tensor: torch.Tensor, demand: Demand) -> None:
        storage = storage_of(tensor)
        self._demands[storage._cdata] = (StorageWeakRef(storage), _version_of(tensor), demand)

    # At a point

    def apply(self, point: Point, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The quantised values, and what learning keeps of the others."""
        training = self.model.training
        if point.values != x.numel() and training and self._probing is None:
            point.values = x.numel()
        if self.learning.format is not None:
            return self._apply_format(point, x), None
        if self._set_in.get(point.name) != self.run.step:
            self._learner.set(point, x.dtype)
            self._set_in[point.name] = self.run.step
            point.slopes = [0.0, 0.0]
        quantised, kept = self._apply_integers(point, x) if self._integers else self._apply_widths(point, x)
        if training and self._probing is None:
            self._account(point, x, kept is not None)
        return quantised, kept

    def _account(self, point: Point, x: torch.Tensor, kept: bool) -> None:
        if self._integers:
            self.account.add(x.numel(), point.drawn.mantissa + (_KEPT_INTEGER / self._every(x) if kept else 0.0))
            return
        # The part that learning keeps is one bit wider, of each kind that is not whole.
        wider = sum(floor < full for floor, full in zip(point.floor, FULL[x.dtype]))
        self.account.widths(x.numel(), point.signed, point.drawn, wider / self._every(x) if kept else 0.0)

    @property
    def _repeats(self) -> bool:
        """Whether the format gives back its own values: those with a scale of the tensor's may not, to the last bit."""
        return (self.learning.format or "").startswith("bm")

    @property
    def _integers(self) -> bool:
        return self.learning.learner == "bitpruning"

    def _apply_widths(self, point: Point, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        widths = point.drawn if self._probing is None else _cut(self._probing, FULL[x.dtype])
        quantised, found = _kernels.quantise(x, widths, self.learning.rounding)
        self._note(quantised, Demand(self._coding(point, quantised, widths), point.kind, exact=True))
        point.e_max = found.e_max if widths.exponent < FULL[x.dtype][1] else -1
        if point.kind == "weight" or not self._learns():
            return quantised, None
        every = self._every(x)
        kept = wider_difference(x[::every].contiguous(), quantised[::every], point.floor, point.e_max)
        self._note(kept, Demand("lossless", point.kind, "learning"))
        return quantised, kept

    def _coding(self, point: Point, quantised: torch.Tensor, widths: Widths) -> str:
        """The format that stores these values in the fewest bytes. It loses nothing: they are what it gives back."""
        known, step = point.codings.get(widths, ("", 0))
        if known and self.run.step < step + _LOOK_AGAIN:
            return known
        exponent, mantissa = widths.exponent, widths.mantissa
        candidates = ("lossless", f"sfp-0-x-{mantissa}", f"sfp-0-{exponent}-{mantissa}")
        smallest = min(candidates, key=lambda format: _kernels.stored_bytes(quantised, format))
        point.codings[widths] = smallest, self.run.step
        return smallest

    def _apply_integers(self, point: Point, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        mixed = _kernels.as_integers(x, self._bits_of(point)[0])
        self._note(mixed, Demand(f"int{point.drawn.mantissa}", point.kind))
        if point.kind == "weight" or not self._learns():
            return mixed, None
        part = x[:: self._every(x)].contiguous()
        low = _kernels.as_integers(part, point.floor.mantissa)
        kept = _kernels.as_integers(part, min(16, point.floor.mantissa + 1)).sub_(low)
        self._note(kept, Demand(f"int{_KEPT_INTEGER}", point.kind, "learning"))
        return mixed, kept

    def _apply_format(self, point: Point, x: torch.Tensor) -> torch.Tensor:
        assert self.learning.format is not None
        seed = hash((self.run.seed, point.index, self.run.step)) & (2**63 - 1)
        quantised = _kernels.through_format(x, self.learning.format, seed)
        self._note(quantised, Demand(self.learning.format, point.kind, exact=self._repeats))
        return quantised

    def learn(self, point: Point, gradient: torch.Tensor, quantised: torch.Tensor, kept: torch.Tensor) -> None:
        """Takes the gradient of a point into the slope of its bitlengths."""
        every = self._every(quantised)
        part = gradient[::every].contiguous()
        scale = len(gradient) / len(part) if gradient.dim() else 1.0
        if self._integers:
            point.slopes[0] += scale * float((kept.double() * part.double()).sum())
            return
        wide = quantised[::every] + kept
        mantissa, exponent = slopes_of(wide, part, point.floor, point.drawn, point.e_max)
        point.slopes[0] += scale * mantissa
        point.slopes[1] += scale * exponent

    def learn_weight(self, point: Point, gradient: torch.Tensor, weight: torch.Tensor) -> None:
        """Of a weight the original is there still."""
        if not self._learns():
            return
        gradient = gradient.contiguous()
        if self._integers:
            point.slopes[0] += _kernels.integers_slope(weight, gradient, self._bits_of(point)[0])
            return
        mantissa, exponent = slopes_of(weight, gradient, point.floor, point.drawn, point.e_max)
        point.slopes[0] += mantissa
        point.slopes[1] += exponent

    def backward_value(self, gradient: torch.Tensor) -> torch.Tensor:
        """What a point hands back of a gradient."""
        if self.learning.gradients is None or not can_quantise(gradient):
            return gradient
        seed = hash((self.run.seed, -1, self.run.step)) & (2**63 - 1)
        return _kernels.through_format(gradient.contiguous(), self.learning.gradients, seed)

    def _learns(self) -> bool:
        return self._learner.learns and self._probing is None and self.model.training

    def _every(self, x: torch.Tensor) -> int:
        return self.learning.sample_every if x.dim() > 1 and len(x) > 1 else 1

    def _bits_of(self, point: Point) -> tuple[float, float]:
        if isinstance(self._learner, PerTensor) and point.values:
            return self._learner.n_of(point)
        return float(point.drawn.mantissa), float(point.drawn.exponent)

    def _saved_format(self) -> str:
        by = self.learning
        suffix = "-rne" if by.rounding == _kernels.NEAREST else ""
        # No sign bit where no value needs one: what has signs keeps them.
        return by.format or f"sfp-0-{int(by.exponent_start)}-{int(by.mantissa_start)}{suffix}"

    def _saved_widths(self) -> Widths:
        return Widths(int(self.learning.mantissa_start), int(self.learning.exponent_start))

    # Between steps

    def _end_step(self, loss: float, lr: float, restored: bool, probe: Callable[[], object] | None) -> None:
        points = list(self.points.values())
        total = sum(point.values for point in points if not point.lossless) or 1
        for point in points:
            point.share = 0.0 if point.lossless else point.values / total
        at = None if probe is None else lambda widths: self._probe(widths, probe)
        self._learner.end_step(points, Step(self.run.step, loss, lr, restored, at))

        if self.run.shared is not None and isinstance(self._learner, PerTensor):
            self._show_learned(self.run.shared)

    def _show_learned(self, shared: SharedRun) -> None:
        if self.run.step % _SHOW_EVERY == 0:
            learned = [
                Learned(self.learning.policy, bits.name, bits.mantissa, bits.exponent, bits.kind)
                for bits in self.bits()
                if not bits.lossless
            ]
            shared.report_learned(learned, step=self.run.step)

    def _probe(self, widths: Widths, loss_of: Callable[[], object]) -> float:
        """A loss at other widths. Running statistics of the network are put back, as if nobody had asked."""
        kept = [(buffer, buffer.clone()) for buffer in self.model.buffers()]
        self._probing = widths
        try:
            with torch.no_grad():
                return float(loss_of())  # type: ignore[arg-type]
        finally:
            self._probing = None
            for buffer, value in kept:
                buffer.copy_(value)


def _version_of(tensor: torch.Tensor) -> int:
    return 0 if tensor.is_inference() else tensor._version


def _cut(widths: Widths, full: tuple[int, int]) -> Widths:
    return Widths(min(widths.mantissa, full[0]), min(widths.exponent, full[1]))


def _learner_of(learning: Learning, run: Run) -> Fixed | LossDriven | PerTensor | Shared:
    by_loss = LossDriven if run.shared is None else Shared
    kinds = {"quantum": PerTensor, "bitpruning": PerTensor, "bitchop": by_loss, "bitwave": by_loss}
    return kinds.get(learning.learner, Fixed)(learning, run)


def quantize(model: nn.Module, policy: Learning | Policy | str, run: Run) -> Quantized | None:
    """Puts learned quantizers into a model.

    model    any nn.Module whose layers are modules: convolutions, linear layers, norms, ReLU, GELU, SiLU, softmax, and
             Tap where other tensors matter. Only the model itself is to be called, not its parts.
    policy   a Policy, as pushed to the daemon; a Learning, which says more; or the name of one: "qm", "qm+qe", "bitchop",
             "bitwave", "bitpruning", "m2e3", "saved-m1e4", "bm6", "mxfp8" and more (see learning_of); "lossless" quantises nothing, and gives None.
    run      how long it is, and its seed. Call its report() once a step.
    """
    learning = learning_of(policy) if isinstance(policy, str) else learning_from(policy)
    return Quantized(model, learning, run) if learning is not None else None
