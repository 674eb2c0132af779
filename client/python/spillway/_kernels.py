"""The C library's kernels for learned bitlengths, over torch tensors. This mirrors spillway/quantise.h."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, byref, c_char_p, c_double, c_float, c_int, c_int32, c_uint32, c_uint64, c_void_p
from typing import NamedTuple

import torch

from . import _native, errors
from ._footprint import DTYPES

TRUNCATE, NEAREST, STOCHASTIC = 0, 1, 2

# Of each type that has bitlengths: mantissa and exponent.
FULL = {torch.float32: (23, 8), torch.bfloat16: (7, 8), torch.float16: (10, 5)}


class _Widths(ctypes.Structure):
    _fields_ = [
        ("dtype", c_int),
        ("mantissa_bits", c_uint32),
        ("exponent_bits", c_uint32),
        ("rounding", c_int),
        ("seed", c_uint64),
        ("e_max", c_int32),
    ]


class _Found(ctypes.Structure):
    _fields_ = [("flushed", c_uint64), ("saturated", c_uint64), ("untouched", c_uint64), ("e_max", c_int32)]


class _Rows(ctypes.Structure):
    _fields_ = [("rows", c_uint64), ("row_values", c_uint64), ("stride", c_uint64)]


class _Integers(ctypes.Structure):
    _fields_ = [("dtype", c_int), ("bits", c_double), ("lo", c_float), ("hi", c_float)]


class _Error(ctypes.Structure):
    _fields_ = [("compared", c_uint64), ("max", c_double), ("mean", c_double)]


class _Container(ctypes.Structure):
    _fields_ = [
        ("format", c_char_p),
        ("dtype", c_int),
        ("ndim", c_uint32),
        ("shape", POINTER(c_uint64)),
        ("seed", c_uint64),
    ]


_ERR = POINTER(_native.Error)
_PROTOTYPES = {
    "sw_quantise": [POINTER(_Widths), c_void_p, c_uint64, c_void_p, POINTER(_Found), _ERR],
    "sw_quantise_slope": [POINTER(_Widths), c_int, c_void_p, c_void_p, POINTER(_Rows), POINTER(c_double), _ERR],
    "sw_quantise_as_integers": [POINTER(_Integers), c_void_p, c_uint64, c_void_p, POINTER(_Found), _ERR],
    "sw_quantise_integers_slope": [POINTER(_Integers), c_void_p, c_void_p, POINTER(_Rows), POINTER(c_double), _ERR],
    "sw_quantise_through": [POINTER(_Container), c_void_p, c_void_p, POINTER(c_uint64), _ERR],
    "sw_quantise_compare": [c_int, c_void_p, c_void_p, c_uint64, POINTER(_Error), _ERR],
}
for _name, _arguments in _PROTOTYPES.items():
    _function = getattr(_native.lib, _name)
    _function.restype, _function.argtypes = c_int, _arguments


class Widths(NamedTuple):
    """Whole bitlengths."""

    mantissa: int
    exponent: int


class Found(NamedTuple):
    flushed: int
    saturated: int
    untouched: int
    e_max: int


def quantise(
    values: torch.Tensor, widths: Widths, rounding: int = TRUNCATE, seed: int = 0, e_max: int = -1
) -> tuple[torch.Tensor, Found]:
    """What storing these values as sfp-1-E-M and fetching them gives. `values` is contiguous and on the CPU."""
    out, found = torch.empty_like(values), _Found()
    by = _Widths(DTYPES[values.dtype].number, widths.mantissa, widths.exponent, rounding, seed, e_max)
    _call("sw_quantise", byref(by), values.data_ptr(), values.numel(), out.data_ptr(), byref(found))
    return out, Found(found.flushed, found.saturated, found.untouched, found.e_max)


def slope(
    values: torch.Tensor, gradients: torch.Tensor, widths: Widths, exponent: bool, rounding: int, e_max: int
) -> float:
    """How the loss changes from these widths to one bit more: of the exponent, or of the mantissa."""
    by = _Widths(DTYPES[values.dtype].number, widths.mantissa, widths.exponent, rounding, 0, e_max)
    rows, result = _Rows(1, values.numel(), 1), c_double()
    _call(
        "sw_quantise_slope",
        byref(by),
        exponent,
        values.data_ptr(),
        gradients.data_ptr(),
        byref(rows),
        byref(result),
    )
    return result.value


def as_integers(values: torch.Tensor, bits: float) -> torch.Tensor:
    """BitPruning's integers over the range of the values, mixed where `bits` is not whole."""
    out = torch.empty_like(values)
    by = _Integers(DTYPES[values.dtype].number, bits, 1, -1)
    _call("sw_quantise_as_integers", byref(by), values.data_ptr(), values.numel(), out.data_ptr(), None)
    return out


def integers_slope(values: torch.Tensor, gradients: torch.Tensor, bits: float) -> float:
    """How the loss changes from floor bits to one more."""
    by, rows = _Integers(DTYPES[values.dtype].number, bits, 1, -1), _Rows(1, values.numel(), 1)
    result = c_double()
    _call(
        "sw_quantise_integers_slope",
        byref(by),
        values.data_ptr(),
        gradients.data_ptr(),
        byref(rows),
        byref(result),
    )
    return result.value


def through_format(values: torch.Tensor, format: str, seed: int = 0) -> torch.Tensor:
    """What storing in any container format and fetching gives."""
    out = torch.empty_like(values)
    _call("sw_quantise_through", byref(_container(values, format, seed)), values.data_ptr(), out.data_ptr(), None)
    return out


def stored_bytes(values: torch.Tensor, format: str) -> int:
    """What these values take in this format."""
    stored = c_uint64()
    _call("sw_quantise_through", byref(_container(values, format, 0)), values.data_ptr(), None, byref(stored))
    return stored.value


def _container(values: torch.Tensor, format: str, seed: int) -> _Container:
    shape = (c_uint64 * max(1, values.dim()))(*values.shape)
    return _Container(format.encode(), DTYPES[values.dtype].number, values.dim(), shape, seed)


class Losses(NamedTuple):
    compared: int
    max: float
    mean: float


def compare(values: torch.Tensor, quantised: torch.Tensor) -> Losses:
    """The relative error of what quantising left."""
    error = _Error()
    number = DTYPES[values.dtype].number
    _call("sw_quantise_compare", number, values.data_ptr(), quantised.data_ptr(), values.numel(), byref(error))
    return Losses(error.compared, error.max, error.mean)


def _call(name: str, *arguments: object) -> None:
    err = _native.Error()
    errors.check(getattr(_native.lib, name)(*arguments, byref(err)), err)
