"""Whether memory still holds the bytes that it held.

Torch counts the writes that it makes itself, and misses all others: through a numpy array over the same buffer, through
`.data`, by another process. So before two saves share one object in the daemon, their bytes are compared, by checksum.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from ._native import lib

# A part of a large run is compared without looking at the rest. A multiple of every element's size.
_BLOCK_BYTES = 256 << 10


class Fingerprint:
    """Checksums of a dense run of elements, block by block."""

    __slots__ = ("_sums",)

    def __init__(self, run: torch.Tensor) -> None:
        self._sums = list(_sums(run))

    def matches(self, run: torch.Tensor, first: int, length: int) -> bool:
        """Whether `length` elements from `first` on are what they were. `run` is the same run, as it is now."""
        block = _BLOCK_BYTES // run.element_size()
        begin, end = first // block, -(-(first + length) // block)
        return all(now == then for now, then in zip(_sums(run[begin * block : end * block]), self._sums[begin:end]))


def _sums(run: torch.Tensor) -> Iterator[int]:
    here = run.cpu()
    address, left = here.data_ptr(), here.numel() * here.element_size()
    while left > 0:
        size = min(left, _BLOCK_BYTES)
        yield lib.sw_fingerprint(address, size)
        address, left = address + size, left - size
