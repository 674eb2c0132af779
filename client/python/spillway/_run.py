"""A training job, as learners see it: steps, losses, learning rates."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .run import Run as SharedRun
    from .torch_quantize import Quantized


class Report(NamedTuple):
    """What a step came to. `restored`: the loss was no number, and all bitlengths are full again: load a checkpoint."""

    step: int
    restored: bool
    frozen: bool


class Run:
    """`seed` is that of all draws, `steps` how long the job is: shares of it, as when to freeze, come of that.

    `shared` is what Client.open_run gave, for jobs of several workers: the daemon then moves the bitlengths of BitChop
    and BitWave, by the losses of all, and is shown those that are learned here.
    """

    def __init__(self, name: str = "run", *, seed: int = 0, steps: int = 0, shared: SharedRun | None = None) -> None:
        if steps < 0:
            raise ValueError("a run has no negative number of steps; 0 means that nobody knows")
        self.name = name
        self.seed = seed
        self.steps = steps
        self.step = 0
        self.shared = shared
        self._quantized: list[Quantized] = []

    def report(self, loss: object, lr: float, probe: Callable[[], object] | None = None) -> Report:
        """The one line of a training loop, once a step, after loss.backward(): the bitlengths move.

        loss   of the step: a number, or a tensor with one
        lr     learning rate of the step
        probe  for paired probes: computes the loss of always the same samples, without gradients; it is called when one
               is due, three times, at full, present and reduced bitlengths
        """
        value = float(loss)  # type: ignore[arg-type]
        restored = not math.isfinite(value)
        if restored:
            warnings.warn(
                f"the loss of step {self.step} is {value}: all bitlengths are full again. Load the last good weights.",
                RuntimeWarning,
                stacklevel=2,
            )
        frozen = False
        for quantized in self._quantized:
            quantized._end_step(value, lr, restored, probe)
            frozen = frozen or quantized.frozen
        self.step += 1
        return Report(self.step - 1, restored, frozen)

    def share_done(self) -> float:
        """Of the run's steps; 0 if nobody knows how many they are."""
        return self.step / self.steps if self.steps else 0.0

    def state_dict(self) -> dict:
        return {"step": self.step, "quantized": [quantized.state_dict() for quantized in self._quantized]}

    def load_state_dict(self, state: dict) -> None:
        if len(state["quantized"]) != len(self._quantized):
            raise ValueError("the state is of a run with another number of quantized networks")
        self.step = state["step"]
        for quantized, saved in zip(self._quantized, state["quantized"]):
            quantized.load_state_dict(saved)

    def _join(self, quantized: Quantized) -> None:
        self._quantized.append(quantized)
