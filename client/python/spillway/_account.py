"""What bitlengths cost by the cost function: sign, exponent and mantissa bits, and 128 bits of metadata for each tensor,
with no coding on top. What is really stored, the daemon says."""

from __future__ import annotations

import torch

from . import _kernels
from ._kernels import FULL, Widths

_METADATA_BITS = 128


class Account:
    """`bits` that `values` values take, all steps together."""

    def __init__(self) -> None:
        self.bits = 0.0
        self.values = 0
        # The widths that held the last tensor that stays as it is.
        self._exact: Widths | None = None

    def add(self, values: int, bits_each: float) -> None:
        self.bits += values * bits_each + _METADATA_BITS
        self.values += values

    def widths(self, values: int, signed: bool, widths: Widths, more: float = 0.0) -> None:
        self.add(values, signed + widths.mantissa + widths.exponent + more)

    def exact(self, x: torch.Tensor) -> None:
        """A tensor that stays as it is: at the smallest widths that hold its values exactly."""
        x = x.contiguous()
        if self._exact is None or not _holds(x, self._exact):
            self._exact = _smallest(x)
        self.widths(x.numel(), bool((x < 0).any()), self._exact)


def _smallest(x: torch.Tensor) -> Widths:
    mantissas, exponents = FULL[x.dtype]
    mantissa = next((m for m in range(mantissas) if _holds(x, Widths(m, exponents))), mantissas)
    exponent = next((e for e in range(1, exponents) if _holds(x, Widths(mantissa, e))), exponents)
    return Widths(mantissa, exponent)


def _holds(x: torch.Tensor, widths: Widths) -> bool:
    return torch.equal(_kernels.quantise(x, widths)[0], x)
