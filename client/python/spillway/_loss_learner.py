"""BitChop and BitWave: the C library's state machines. This mirrors spillway/learner.h."""

from __future__ import annotations

import ctypes
import weakref
from ctypes import POINTER, byref, c_char_p, c_double, c_int, c_size_t, c_uint32, c_uint64, c_void_p
from typing import NamedTuple

from . import _native, errors
from ._native import lib

_STATE_CAP = 512


class _Parameter(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("value", c_double)]


class _Widths(ctypes.Structure):
    _fields_ = [("mantissa", c_uint32), ("exponent", c_uint32), ("frozen", c_int), ("resets", c_uint32)]


class _Pair(ctypes.Structure):
    _fields_ = [("full", c_double), ("current", c_double), ("reduced", c_double)]


_ERR = POINTER(_native.Error)
_PROTOTYPES = {
    "sw_bitlength_draw": (c_uint32, [c_double, c_uint64, c_char_p, c_uint64]),
    "sw_loss_learner_create": (
        c_int,
        [c_char_p, POINTER(_Parameter), c_size_t, c_uint64, c_uint32, c_uint32, POINTER(c_void_p), _ERR],
    ),
    "sw_loss_learner_destroy": (None, [c_void_p]),
    "sw_loss_learner_widths": (None, [c_void_p, POINTER(_Widths)]),
    "sw_loss_learner_probe": (c_int, [c_void_p, c_uint64, POINTER(_Widths)]),
    "sw_loss_learner_take": (c_int, [c_void_p, c_uint64, c_double, c_double, POINTER(_Pair), POINTER(c_int), _ERR]),
    "sw_loss_learner_save": (c_size_t, [c_void_p, c_void_p]),
    "sw_loss_learner_load": (c_int, [c_void_p, c_void_p, c_size_t, _ERR]),
}
for _name, (_result, _arguments) in _PROTOTYPES.items():
    _function = getattr(lib, _name)
    _function.restype, _function.argtypes = _result, _arguments


def draw(n: float, seed: int, tensor: str, step: int) -> int:
    """floor n or floor n + 1, so that the mean over steps is n: the same wherever it is asked for."""
    return lib.sw_bitlength_draw(n, seed & (2**64 - 1), tensor.encode(), step)


class State(NamedTuple):
    """Bitlengths of the whole network; an exponent of 0 is all that the type has."""

    mantissa: int
    exponent: int
    frozen: bool
    resets: int


class LossLearner:
    """`kind` is "bitchop" or "bitwave", and parameters are named as in a policy's text."""

    def __init__(self, kind: str, parameters: dict[str, float], steps: int) -> None:
        given = [_Parameter(name.encode(), float(value)) for name, value in parameters.items()]
        self._handle, err = c_void_p(), _native.Error()
        array = (_Parameter * max(1, len(given)))(*given)
        status = lib.sw_loss_learner_create(
            kind.encode(), array, len(given), steps, 23, 8, byref(self._handle), byref(err)
        )
        errors.check(status, err)
        weakref.finalize(self, lib.sw_loss_learner_destroy, self._handle)

    @property
    def state(self) -> State:
        widths = _Widths()
        lib.sw_loss_learner_widths(self._handle, byref(widths))
        return _state_of(widths)

    def probe(self, step: int) -> State | None:
        """What a paired probe should try at this step, if one is due."""
        widths = _Widths()
        return _state_of(widths) if lib.sw_loss_learner_probe(self._handle, step, byref(widths)) else None

    def take(self, step: int, loss: float, lr: float, pair: tuple[float, float, float] | None = None) -> bool:
        """A step's loss. True: full widths were restored for it."""
        restored, err = c_int(), _native.Error()
        losses = byref(_Pair(*pair)) if pair else None
        errors.check(
            lib.sw_loss_learner_take(self._handle, step, loss, lr, losses, byref(restored), byref(err)), err
        )
        return bool(restored.value)

    def save(self) -> bytes:
        state = ctypes.create_string_buffer(_STATE_CAP)
        length = lib.sw_loss_learner_save(self._handle, state)
        return state.raw[:length]

    def load(self, state: bytes) -> None:
        err = _native.Error()
        errors.check(lib.sw_loss_learner_load(self._handle, state, len(state), byref(err)), err)


def _state_of(widths: _Widths) -> State:
    return State(widths.mantissa, widths.exponent, bool(widths.frozen), widths.resets)
