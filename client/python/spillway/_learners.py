"""Learners in the trainer's process: what bitlengths each point has in a step, and how they move at its end."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import torch

from ._kernels import FULL, Widths
from ._loss_learner import LossLearner, draw
from .errors import INVALID, NotFiniteError, UsageError

if TYPE_CHECKING:
    from ._learning import Learning
    from ._points import Point
    from ._run import Run
    from .run import Bitlengths, StepWidths


# So far above a whole number n still is that number when it is rounded up.
_HOVERING = 0.1


class Step(NamedTuple):
    """What a step's report says. `probe` gives the loss of always the same samples at other widths, if it can."""

    number: int
    loss: float
    rate: float
    restored: bool
    probe: Callable[[Widths], float] | None


class Fixed:
    """Widths that stay."""

    frozen = False
    learns = False

    def __init__(self, learning: Learning, run: Run) -> None:
        self._widths = Widths(int(learning.mantissa_start), int(learning.exponent_start))

    def set(self, point: Point, dtype: torch.dtype) -> None:
        full = FULL[dtype]
        widths = Widths(min(self._widths.mantissa, full[0]), min(self._widths.exponent, full[1]))
        point.floor = point.drawn = widths

    def end_step(self, points: list[Point], step: Step) -> None:
        pass

    def state_dict(self) -> dict:
        return {}

    def load_state_dict(self, state: dict) -> None:
        pass


class LossDriven:
    """BitChop and BitWave: the same widths for the whole network, by its loss."""

    learns = False

    def __init__(self, learning: Learning, run: Run) -> None:
        names = ["alpha", "period_steps", "hold_steps", "mantissa_start", "mantissa_floor", "freeze_at"]
        if learning.learner == "bitwave":
            names += ["band", "tolerance", "warmup", "paired", "exponent_start", "exponent_floor"]
        parameters = {name: float(getattr(learning, name)) for name in names}
        self._machine = LossLearner(learning.learner, parameters, run.steps)

    @property
    def frozen(self) -> bool:
        return self._machine.state.frozen

    def set(self, point: Point, dtype: torch.dtype) -> None:
        now, full = self._machine.state, FULL[dtype]
        point.floor = point.drawn = Widths(min(now.mantissa, full[0]), min(now.exponent or full[1], full[1]))

    def end_step(self, points: list[Point], step: Step) -> None:
        pair, reduced = None, self._machine.probe(step.number)
        if reduced is not None and step.probe is not None:
            now = self._machine.state
            tries = (Widths(23, 8), Widths(now.mantissa, now.exponent), Widths(reduced.mantissa, reduced.exponent))
            full, current, less = (step.probe(widths) for widths in tries)
            pair = (full, current, less)
        self._machine.take(step.number, step.loss, step.rate, pair)

    def state_dict(self) -> dict:
        return {"machine": self._machine.save()}

    def load_state_dict(self, state: dict) -> None:
        self._machine.load(state["machine"])


class Shared:
    """Bitlengths that the daemon finds for all workers of a run, of one of its policies."""

    learns = False

    def __init__(self, learning: Learning, run: Run) -> None:
        assert run.shared is not None
        self._run, self._shared, self._policy = run, run.shared, learning.policy
        self._now: StepWidths | None = None

    @property
    def frozen(self) -> bool:
        return self._now is not None and self._now.frozen

    def set(self, point: Point, dtype: torch.dtype) -> None:
        now, full = self._widths(), FULL[dtype]
        mantissa, exponent = int(now.mantissa_bits), int(now.exponent_bits) or full[1]
        point.floor = point.drawn = Widths(min(mantissa, full[0]), min(exponent, full[1]))

    def _widths(self) -> Bitlengths:
        # Asking fixes them for every worker, once a step.
        if self._now is None or self._now.step != self._run.step:
            self._now = self._shared.bitlengths(self._run.step)
        found = self._now.policies.get(self._policy)
        if found is None:
            there = ", ".join(self._now.policies) or "none"
            raise UsageError(f"the run has no policy {self._policy!r} that moves widths: there are {there}", INVALID)
        return found

    def end_step(self, points: list[Point], step: Step) -> None:
        pair, now = None, self._widths()
        probe = self._now.probes.get(self._policy) if self._now else None
        if probe is not None and step.probe is not None:
            tries = (Widths(23, 8), _widths_of(now), _widths_of(probe))
            full, current, reduced = (step.probe(widths) for widths in tries)
            pair = (full, current, reduced)
        # The daemon restores full widths; the caller was told already.
        with contextlib.suppress(NotFiniteError):
            self._shared.report(step.loss, step.rate, step=step.number, paired=pair)

    def state_dict(self) -> dict:
        return {}

    def load_state_dict(self, state: dict) -> None:
        self._now = None


def _widths_of(bits: Bitlengths) -> Widths:
    return Widths(int(bits.mantissa_bits), int(bits.exponent_bits) or 8)


class PerTensor:
    """A real-valued n for each tensor: Quantum Mantissa and Exponent, and BitPruning, which have no use for exponents.

    n has an optimizer of its own. Its gradient is the slope of the loss plus gamma x the tensor's share of all values;
    so gamma is the loss that a bit of the mean bitlength may cost. n moves by at most max_step_bits a step, and is
    rounded up and stays from freeze_at on.
    """

    def __init__(self, learning: Learning, run: Run) -> None:
        self._by = learning
        self._run = run
        self._integers = learning.learner == "bitpruning"
        self._exponents = learning.exponent and not self._integers
        self.frozen = False
        # Of every point: mantissa (or integers) and exponent. Points come as the network first shows them.
        self._n = torch.zeros(0, 2, dtype=torch.float64)
        self._optimizer: torch.optim.Optimizer | None = None
        self._limits: dict[int, tuple[int, int]] = {}
        self._full_until = -1

    @property
    def learns(self) -> bool:
        return not self.frozen and self._run.step >= self._full_until

    def set(self, point: Point, dtype: torch.dtype) -> None:
        """Draws the point's bitlengths of this step."""
        self._limits.setdefault(point.index, (16, 8) if self._integers else FULL[dtype])
        mantissa, exponent = self._n_of(point)
        if self._integers:
            # Mixed, not drawn: what is stored has the next whole number of bits.
            point.floor = Widths(math.floor(mantissa), 0)
            point.drawn = Widths(math.ceil(mantissa), 0)
            return
        seed, step = self._run.seed, self._run.step
        point.floor = Widths(math.floor(mantissa), math.floor(exponent))
        point.drawn = Widths(
            draw(mantissa, seed, point.name + ":mantissa", step), draw(exponent, seed, point.name + ":exponent", step)
        )

    def n_of(self, point: Point) -> tuple[float, float]:
        mantissa, exponent = self._n_of(point)
        return mantissa, (0.0 if self._integers else exponent)

    def _n_of(self, point: Point) -> tuple[float, float]:
        full = self._limits[point.index]
        while len(self._n) <= point.index:
            self._add()
        if self._run.step < self._full_until:
            return float(full[0]), float(full[1])
        mantissa, exponent = self._n[point.index].tolist()
        # The type has the last word: a half-precision tensor has no seven exponent bits.
        return min(mantissa, full[0]), min(exponent, full[1]) if self._exponents else float(full[1])

    def _add(self) -> None:
        start = torch.tensor([[self._by.mantissa_start, self._by.exponent_start]], dtype=torch.float64)
        self._n = torch.cat([self._n.detach(), start])
        # Its momentum is of no account yet: points come in the first step.
        self._optimizer = None

    def end_step(self, points: list[Point], step: Step) -> None:
        if step.restored:
            self._restore()
        elif self.learns:
            self._move(points)
        if not self.frozen and self._run.steps and (self._run.step + 1) / self._run.steps >= self._by.freeze_at:
            self._freeze()

    def _move(self, points: list[Point]) -> None:
        learned = [point for point in points if not point.lossless and point.index < len(self._n)]
        if not learned:
            return
        optimizer = self._optimizer or self._start(learned)
        gradient = torch.zeros_like(self._n)
        for point in learned:
            for which in range(1 + self._exponents):
                gradient[point.index, which] = point.slopes[which] + self._by.gamma * point.share
        # A gradient that is no number says nothing of bitlengths; the loss will say it if training is broken.
        self._n.grad = torch.nan_to_num(gradient, nan=0.0, posinf=0.0, neginf=0.0)
        before = self._n.detach().clone()
        optimizer.step()
        with torch.no_grad():
            most = self._by.max_step_bits
            self._n.copy_(before + (self._n - before).clamp(-most, most))
            for point in learned:
                full = self._limits[point.index]
                self._n[point.index, 0].clamp_(self._by.mantissa_floor, full[0])
                self._n[point.index, 1].clamp_(min(self._by.exponent_floor, full[1]), full[1])

    def _start(self, learned: list[Point]) -> torch.optim.Optimizer:
        self._n = self._n.detach().requires_grad_()
        rate = self._by.rate
        if self._by.optimizer == "adam":
            self._optimizer = torch.optim.Adam([self._n], lr=rate or 0.02, betas=(0.9, 0.98))
        else:
            mean_share = 1 / len(learned)
            steps = self._by.fall * max(self._run.steps, 100)
            five_bits = 5 / max(self._by.gamma * mean_share * steps, 1e-9)
            self._optimizer = torch.optim.SGD([self._n], lr=rate or five_bits)
        return self._optimizer

    def _freeze(self) -> None:
        # What hovers about a whole number by noise alone is not worth the next bit.
        self._n = (self._n.detach() - _HOVERING).ceil()
        self._optimizer = None
        self.frozen = True

    def _restore(self) -> None:
        """Full widths for a while, then from the start again: what led here is not worth much."""
        self._full_until = self._run.step + 1 + self._by.hold_steps
        self._n = self._n.detach()
        self._n[:, 0], self._n[:, 1] = self._by.mantissa_start, self._by.exponent_start
        self._optimizer = None
        self.frozen = False

    def state_dict(self) -> dict:
        return {
            "n": self._n.detach().clone(),
            "frozen": self.frozen,
            "full_until": self._full_until,
            "limits": dict(self._limits),
            "optimizer": self._optimizer.state_dict() if self._optimizer else None,
        }

    def load_state_dict(self, state: dict) -> None:
        self._n = state["n"].clone()
        self.frozen, self._full_until = state["frozen"], state["full_until"]
        self._limits, self._optimizer = dict(state["limits"]), None
        if state["optimizer"]:
            count = len(self._n)
            self._start([None] * count)  # type: ignore[list-item]
            assert self._optimizer is not None
            self._optimizer.load_state_dict(state["optimizer"])
