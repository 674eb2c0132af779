"""Arguments of Python as those of C."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from . import _dtypes, _info, _native, errors
from ._buffers import Loan

if TYPE_CHECKING:
    from .run import Run

# One request's names must fit into one message of 64 KiB.
_FREE_NAMES = 512
_FREE_BYTES = 32 * 1024


class Deadline:
    """One for several requests. Without a timeout each of them has the client's."""

    def __init__(self, timeout: float | None) -> None:
        self._until = None if timeout is None else time.monotonic() + timeout

    def left(self) -> float | None:
        if self._until is None:
            return None
        left = self._until - time.monotonic()
        if left <= 0:
            raise errors.make(errors.TIMEOUT)
        return left


def ms(seconds: float | None) -> int:
    """Milliseconds for the library, where 0 would mean its default."""
    return 0 if seconds is None else max(1, min(int(seconds * 1000), 0xFFFFFFFF))


def text(text: str | None) -> bytes | None:
    if text is not None and "\0" in text:
        raise ValueError("names cannot hold a NUL character")
    return None if text is None else text.encode()


def run_and_step(run: Run | None, step: int | None) -> tuple[bytes | None, int]:
    """Without a step, the one that the run is at."""
    if run is None:
        if step is not None:
            raise ValueError("a step is one of a run: name that too")
        return None, 0
    return run.name.encode(), run.step if step is None else step


def kind_number(kind: str) -> int:
    if kind not in _info.KINDS:
        raise ValueError(f"unknown kind {kind!r}; there are {', '.join(_info.KINDS)}")
    return _info.KINDS.index(kind)


def put_args(
    loan: Loan,
    name: str,
    dtype_name: str | None,
    shape: Sequence[int] | None,
    kind: str,
    space: str | None,
    group: int,
    format_: str | None,
    timeout: float | None,
    seed: int = 0,
    run: Run | None = None,
    step: int | None = None,
) -> _native.PutArgs:
    dtype = _dtypes.of_name(dtype_name) if dtype_name else _dtypes.of_buffer(loan.format, loan.itemsize)
    if shape is None:
        same_width = loan.itemsize == dtype.bytes
        shape = loan.shape if same_width else (loan.bytes // dtype.bytes,)
    count = 1
    for size in shape:
        count *= size
    # The library reads as many bytes as the shape says.
    if count * dtype.bytes != loan.bytes:
        raise ValueError(f"{dtype.name} of shape {tuple(shape)} takes {count * dtype.bytes} bytes, not {loan.bytes}")
    sizes = (ctypes.c_uint64 * max(1, len(shape)))(*shape)
    return _native.PutArgs(
        text(space),
        text(name),
        kind_number(kind),
        dtype.number,
        len(shape),
        sizes,
        group,
        text(format_),
        ms(timeout),
        seed,
        *run_and_step(run, step),
    )


def get_args(
    name: str, space: str | None, offset: int, length: int, generation: int, timeout: float | None
) -> _native.GetArgs:
    return _native.GetArgs(text(space), text(name), offset, length, generation, 0, ms(timeout))


def batches(names: Iterable[str]) -> Iterable[list[str]]:
    """Cuts names into what fits into one request each."""
    batch: list[str] = []
    used = 0
    for name in names:
        if batch and (len(batch) == _FREE_NAMES or used + len(name) > _FREE_BYTES):
            yield batch
            batch, used = [], 0
        batch.append(name)
        used += 4 * len(name)
    if batch:
        yield batch
