"""Containers made and read in this process, without a daemon."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from . import _info, _native, errors
from ._args import put_args
from ._buffers import lend_readable
from ._info import ObjectInfo

if TYPE_CHECKING:
    import numpy


def encode(
    data: Any, format: str | None = None, *, dtype: str | None = None, shape: Sequence[int] | None = None, seed: int = 0
) -> bytes:
    """The container of a numpy array or any other buffer: the same bytes that the daemon would store.

    dtype ("BF16") and shape say what the bytes mean where the buffer does not. `format` None is lossless. Formats that
    round stochastically draw by `seed`.
    """
    err, bound, length = _native.Error(), ctypes.c_size_t(), ctypes.c_size_t()
    with lend_readable(data) as loan:
        put = put_args(loan, "", dtype, shape, "other", None, 0, format, None, seed)
        args = _native.EncodeArgs(put.dtype, put.ndim, put.shape, put.format, put.seed)
        errors.check(_native.lib.sw_encode_bound(args, bound, err), err)
        out = ctypes.create_string_buffer(bound.value)
        errors.check(_native.lib.sw_encode(args, loan.address, out, bound, length, err), err)
    return out.raw[: length.value]


def decode_info(container: bytes) -> ObjectInfo:
    """What a container holds: dtype, shape, format, bytes. All that only a daemon knows is empty."""
    err, info = _native.Error(), _native.Info()
    errors.check(_native.lib.sw_decode_info(container, len(container), info, err), err)
    return _info.of_native(info)


def decode(container: bytes) -> numpy.ndarray:
    """The tensor of a container. BF16 and 8-bit floats, which numpy lacks, come as unsigned integers."""
    out = _info.empty_array(decode_info(container))
    err = _native.Error()
    errors.check(_native.lib.sw_decode(container, len(container), out.ctypes.data, out.nbytes, err), err)
    return out
