"""What autograd holds in a saved tensor's place."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import TYPE_CHECKING, NoReturn

import torch

from . import errors
from ._footprint import DTYPES, Extent, aligned_down

if TYPE_CHECKING:
    from ._session import Entry


class VersionWatch:
    """A tensor's version counter without its memory.

    Autograd checks the counters of tensors that it saves itself, and leaves that to us where there are hooks. Setting
    `.data` swaps the memory of an alias and leaves it the counter that it shares with the original.
    """

    def __init__(self, tensor: torch.Tensor) -> None:
        self._noted = tensor._version
        self._alias = tensor.detach()
        self._alias.data = tensor.new_empty(0)

    def moved(self) -> bool:
        return self._alias._version != self._noted

    def check(self, size: torch.Size) -> None:
        if self.moved():
            raise_moved(self._alias, self._noted, size)


def raise_moved(tensor: torch.Tensor, noted: int, size: Iterable[int]) -> NoReturn:
    """Raises what plain torch raises."""
    raise RuntimeError(
        "one of the variables needed for gradient computation has been modified by an inplace operation: "
        f"[{tensor.type()} {list(size)}] is at version {tensor._version}; expected version {noted} instead. "
        "Hint: enable anomaly detection to find the operation that failed to compute its gradient, "
        "with torch.autograd.set_detect_anomaly(True)."
    )


class Kept:
    """A tensor that stays in the process."""

    __slots__ = ("_tensor", "_version")

    def __init__(self, tensor: torch.Tensor) -> None:
        # Detached: a saved output that held its own graph would keep itself alive for ever.
        self._tensor = tensor.detach()
        self._version = None if tensor.is_inference() else tensor._version

    def restore(self) -> torch.Tensor:
        # Its shape is asked for only then: a nested tensor has none.
        if self._version is not None and self._tensor._version != self._version:
            raise_moved(self._tensor, self._version, () if self._tensor.is_nested else self._tensor.shape)
        return self._tensor


class Spilled:
    """A tensor that is in the daemon, alone or as a part of its storage."""

    __slots__ = ("_entry", "_watch", "_size", "_strides", "_offset")

    def __init__(
        self, entry: Entry, watch: VersionWatch, tensor: torch.Tensor, strides: tuple[int, ...], offset: int
    ) -> None:
        self._entry = entry
        # The tensor's own: an alias that shares the memory, and so the entry, may have another counter.
        self._watch = watch
        self._size = tensor.shape
        self._strides = strides
        self._offset = offset

    def restore(self) -> torch.Tensor:
        self._watch.check(self._size)
        extent = self._extent()
        # A second backward pass that is itself recorded unpacks with gradients enabled.
        with torch.no_grad():
            try:
                flat = self._entry.session.fetch(self._entry, extent)
            except errors.SpillwayError as error:
                self._fail(error)
            return flat.as_strided(self._size, self._strides, flat.storage_offset() + self._offset - extent.first)

    def _extent(self) -> Extent:
        """The elements to fetch: from the first that the tensor shows to the last."""
        first = aligned_down(self._offset, DTYPES[self._entry.dtype].bytes)
        last = self._offset + sum((size - 1) * stride for size, stride in zip(self._size, self._strides))
        return Extent(first, last + 1 - first)

    def _fail(self, error: errors.SpillwayError) -> NoReturn:
        entry = self._entry
        which = f"the saved tensor {entry.name} ({entry.dtype}, shape {list(self._size)})"
        lost = (errors.NotFoundError, errors.ClosedError, errors.SystemCallError, errors.TensorLostError)
        if isinstance(error, lost):
            raised: errors.SpillwayError = errors.TensorLostError(f"{which} is lost: {error}", error.status)
        else:
            raised = errors.make(error.status, f"{which} could not be fetched: {error}", error.retry_after_ms)
        # A copy: what is raised gets a traceback, which would keep this handle and so the session alive.
        entry.session.raised = copy.copy(raised)
        raise raised from error
