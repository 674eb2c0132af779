"""The C library: where it is found, and what its structs and functions look like.

This mirrors spillway/client.h and spillway/policy.h and holds nothing else. ctypes releases the interpreter's lock
during every call, so a thread that waits for the daemon stops no other one. No function here gets a callback that the library's own thread
would run: it would have to take that lock in the middle of a training step.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
from ctypes import POINTER, byref, c_char, c_char_p, c_double, c_int, c_size_t, c_uint32, c_uint64, c_void_p
from pathlib import Path

SPACE_CAP = 65
NAME_CAP = 1025
FORMAT_CAP = 32
ANY_VERSION = 2**64 - 1
INFO_DIMS = 64


class Error(ctypes.Structure):
    _fields_ = [("status", c_int), ("retry_after_ms", c_uint32), ("text", c_char * 256)]


class Options(ctypes.Structure):
    _fields_ = [("client_name", c_char_p), ("connect_timeout_ms", c_uint32), ("request_timeout_ms", c_uint32)]


class Info(ctypes.Structure):
    _fields_ = [
        ("space", c_char * SPACE_CAP),
        ("name", c_char * NAME_CAP),
        ("format", c_char * FORMAT_CAP),
        ("kind", c_int),
        ("dtype", c_int),
        ("ndim", c_uint32),
        ("shape", c_uint64 * INFO_DIMS),
        ("group", c_uint64),
        ("raw_bytes", c_uint64),
        ("stored_bytes", c_uint64),
        ("generation", c_uint64),
        ("policy_version", c_uint64),
        ("age_ms", c_uint64),
        ("chunks", c_uint32),
        ("flushed", c_uint64),
        ("saturated", c_uint64),
        ("nonfinite_chunks", c_uint64),
        ("signs_kept_chunks", c_uint64),
        ("raw_chunks", c_uint64),
        ("sign_bits", c_uint64),
        ("exponent_bits", c_uint64),
        ("mantissa_bits", c_uint64),
        ("raw_bits", c_uint64),
        ("metadata_bits", c_uint64),
    ]


class PutArgs(ctypes.Structure):
    _fields_ = [
        ("space", c_char_p),
        ("name", c_char_p),
        ("kind", c_int),
        ("dtype", c_int),
        ("ndim", c_uint32),
        ("shape", POINTER(c_uint64)),
        ("group", c_uint64),
        ("format", c_char_p),
        ("timeout_ms", c_uint32),
        ("seed", c_uint64),
        ("run", c_char_p),
        ("step", c_uint64),
    ]


class GetArgs(ctypes.Structure):
    _fields_ = [
        ("space", c_char_p),
        ("name", c_char_p),
        ("offset", c_uint64),
        ("length", c_uint64),
        ("generation", c_uint64),
        ("encoded", c_int),
        ("timeout_ms", c_uint32),
    ]


class ListArgs(ctypes.Structure):
    _fields_ = [("space", c_char_p), ("prefix", c_char_p), ("after", c_char_p), ("timeout_ms", c_uint32)]


class SpaceInfo(ctypes.Structure):
    _fields_ = [
        ("space", c_char * SPACE_CAP),
        ("objects", c_uint64),
        ("raw_bytes", c_uint64),
        ("stored_bytes", c_uint64),
        ("quota_bytes", c_uint64),
    ]


class RunSettings(ctypes.Structure):
    _fields_ = [
        ("run", c_char_p),
        ("space", c_char_p),
        ("seed", c_uint64),
        ("steps", c_uint64),
        ("members", c_uint32),
    ]


class RunInfo(ctypes.Structure):
    _fields_ = [
        ("policy_version", c_uint64),
        ("members", c_uint32),
        ("step", c_uint64),
        ("reported_step", c_uint64),
        ("loss", c_double),
        ("frozen", c_int),
        ("resets", c_uint64),
    ]


class ReportArgs(ctypes.Structure):
    _fields_ = [
        ("run", c_char_p),
        ("member", c_uint32),
        ("step", c_uint64),
        ("loss", c_double),
        ("learning_rate", c_double),
        ("has_paired", c_int),
        ("full", c_double),
        ("current", c_double),
        ("reduced", c_double),
    ]


class ReportResult(ctypes.Structure):
    _fields_ = [("reset", c_int), ("effective_step", c_uint64)]


class Bitlengths(ctypes.Structure):
    _fields_ = [
        ("policy", c_char * SPACE_CAP),
        ("tensor", c_char * NAME_CAP),
        ("kind", c_int),
        ("mantissa_bits", c_double),
        ("exponent_bits", c_double),
        ("effective_step", c_uint64),
        ("format", c_char * FORMAT_CAP),
        ("probe", c_int),
    ]


class StepInfo(ctypes.Structure):
    _fields_ = [("policy_version", c_uint64), ("frozen", c_int)]


# Called by the library on the thread that reads a ticket, while it reads.
LIST_FN = ctypes.CFUNCTYPE(c_int, POINTER(Info), c_void_p)
SPACE_FN = ctypes.CFUNCTYPE(c_int, POINTER(SpaceInfo), c_void_p)
BITLENGTHS_FN = ctypes.CFUNCTYPE(c_int, POINTER(Bitlengths), c_void_p)
STATS_FN = ctypes.CFUNCTYPE(c_int, c_char_p, c_uint64, c_void_p)

_ERR = POINTER(Error)
_INFO = POINTER(Info)
_NAMES = POINTER(c_char_p)
# The end of every submit: done and user, which stay NULL, the ticket, the error.
_SUBMIT = [c_void_p, c_void_p, POINTER(c_void_p), _ERR]

_PROTOTYPES = {
    "sw_status_name": (c_char_p, [c_int]),
    "sw_status_text": (c_char_p, [c_int]),
    "sw_status_class": (c_int, [c_int]),
    "sw_connect": (c_int, [c_char_p, POINTER(Options), POINTER(c_void_p), _ERR]),
    "sw_close": (None, [c_void_p]),
    "sw_new_group": (c_uint64, [c_void_p]),
    "sw_submit_put": (c_int, [c_void_p, POINTER(PutArgs), c_void_p, *_SUBMIT]),
    "sw_submit_get": (c_int, [c_void_p, POINTER(GetArgs), c_void_p, c_size_t, *_SUBMIT]),
    "sw_submit_free": (c_int, [c_void_p, c_char_p, _NAMES, c_size_t, *_SUBMIT]),
    "sw_submit_stat": (c_int, [c_void_p, c_char_p, c_char_p, c_uint32, *_SUBMIT]),
    "sw_submit_list": (c_int, [c_void_p, POINTER(ListArgs), *_SUBMIT]),
    "sw_submit_list_spaces": (c_int, [c_void_p, c_char_p, c_uint32, *_SUBMIT]),
    "sw_submit_free_group": (c_int, [c_void_p, c_uint64, c_uint32, *_SUBMIT]),
    "sw_submit_stats": (c_int, [c_void_p, c_uint32, *_SUBMIT]),
    "sw_submit_ping": (c_int, [c_void_p, c_uint32, *_SUBMIT]),
    "sw_submit_policies_push": (c_int, [c_void_p, c_char_p, c_size_t, c_uint64, *_SUBMIT]),
    "sw_submit_policies_get": (c_int, [c_void_p, c_char_p, *_SUBMIT]),
    "sw_submit_run_open": (c_int, [c_void_p, POINTER(RunSettings), *_SUBMIT]),
    "sw_submit_run_report": (c_int, [c_void_p, POINTER(ReportArgs), *_SUBMIT]),
    "sw_submit_run_report_learned": (
        c_int,
        [c_void_p, c_char_p, c_uint32, c_uint64, POINTER(Bitlengths), c_size_t, *_SUBMIT],
    ),
    "sw_submit_run_bitlengths": (c_int, [c_void_p, c_char_p, c_uint64, *_SUBMIT]),
    "sw_ticket_policies_push": (c_int, [c_void_p, POINTER(c_uint64), _ERR]),
    "sw_ticket_policies_get": (c_int, [c_void_p, POINTER(c_void_p), POINTER(c_uint64), _ERR]),
    "sw_text_free": (None, [c_void_p]),
    "sw_ticket_run_open": (c_int, [c_void_p, POINTER(c_uint32), POINTER(RunInfo), _ERR]),
    "sw_ticket_run_report": (c_int, [c_void_p, POINTER(ReportResult), _ERR]),
    "sw_ticket_run_bitlengths": (c_int, [c_void_p, BITLENGTHS_FN, c_void_p, POINTER(StepInfo), _ERR]),
    "sw_wait": (c_int, [c_void_p, c_uint32, _ERR]),
    "sw_ticket_result": (c_int, [c_void_p, POINTER(c_size_t), _INFO, _ERR]),
    "sw_ticket_list": (c_int, [c_void_p, LIST_FN, c_void_p, POINTER(c_int), _ERR]),
    "sw_ticket_spaces": (c_int, [c_void_p, SPACE_FN, c_void_p, POINTER(c_int), _ERR]),
    "sw_ticket_stats": (c_int, [c_void_p, STATS_FN, c_void_p, _ERR]),
    "sw_ticket_freed": (c_int, [c_void_p, POINTER(c_uint64), _ERR]),
    "sw_cancel": (None, [c_void_p]),
    "sw_ticket_release": (None, [c_void_p]),
    "sw_fingerprint": (c_uint64, [c_void_p, c_size_t]),
}

_USABLE_PRESETS = ("release", "bench", "dev")
_FILE_NAMES = ("libspillway.so.0", "libspillway.so")


def _candidates() -> list[str]:
    """Where the library may be, best first."""
    if chosen := os.environ.get("SPILLWAY_LIBRARY"):
        return [chosen]
    package = Path(__file__).resolve().parent
    beside = [package / name for name in _FILE_NAMES]
    # In a source tree: the newest build wins, which is the one that somebody works with. Of those that are for use: an
    # instrumented library ends an interpreter that is not.
    root = package.parents[2]
    in_tree = (root / "CMakePresets.json").is_file()
    built = [root / "build" / preset / "client/libspillway.so" for preset in _USABLE_PRESETS] if in_tree else []
    newest_first = sorted(filter(Path.is_file, built), key=lambda path: path.stat().st_mtime, reverse=True)
    found = [str(path) for path in [*beside, *newest_first] if path.is_file()]
    system = ctypes.util.find_library("spillway")
    return [*found, *([system] if system else []), *_FILE_NAMES]


def _load() -> ctypes.CDLL:
    complaints = []
    for path in _candidates():
        try:
            library = ctypes.CDLL(path)
            for name, (result, arguments) in _PROTOTYPES.items():
                function = getattr(library, name)
                function.restype, function.argtypes = result, arguments
            return library
        except (OSError, AttributeError) as complaint:
            complaints.append(str(complaint))
    raise ImportError(
        "spillway needs its C library, libspillway.so, and found none that fits: "
        + "; ".join(complaints)
        + ". Install it, or name the file in the environment variable SPILLWAY_LIBRARY."
    )


lib = _load()

__all__ = ["lib", "byref", "Error", "Options", "Info", "PutArgs", "GetArgs", "SpaceInfo"]
