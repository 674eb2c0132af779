"""Spillway's frames in plain Python, from proto/WIRE.md alone: a second implementation, able to break every rule."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import policy_pb2 as policy_pb
import spillway_pb2 as pb
import xxhash

HEADER = struct.Struct("<2sBBHHIIIIQ")
CHECKED = 1
MAX_MESSAGE = 64 << 10
MAX_BODY = 1 << 20

HELLO, WELCOME, PUT, PUT_DONE, GET, GET_BEGIN, DATA, STAT, STAT_DONE, LIST, LIST_DONE = range(1, 12)
FREE, FREE_GROUP, FREE_DONE, STATS, STATS_DONE, PING, PONG, CREDIT, CANCEL, ERROR, BYE = range(12, 23)
PUSH_POLICIES, PUSH_POLICIES_DONE, GET_POLICIES, GET_POLICIES_DONE, OPEN_RUN, OPEN_RUN_DONE = range(23, 29)
REPORT, REPORT_DONE, REPORT_LEARNED, REPORT_LEARNED_DONE, GET_BITLENGTHS, GET_BITLENGTHS_DONE = range(29, 35)

# What a server sends, and how its messages parse.
ANSWERS = {
    WELCOME: pb.Welcome,
    PUT_DONE: pb.PutDone,
    GET_BEGIN: pb.GetBegin,
    DATA: None,
    STAT_DONE: pb.StatDone,
    LIST_DONE: pb.ListDone,
    FREE_DONE: pb.FreeDone,
    STATS_DONE: pb.StatsDone,
    PONG: None,
    CREDIT: pb.Credit,
    ERROR: pb.Error,
    PUSH_POLICIES_DONE: policy_pb.PushPoliciesDone,
    GET_POLICIES_DONE: policy_pb.GetPoliciesDone,
    OPEN_RUN_DONE: policy_pb.OpenRunDone,
    REPORT_DONE: policy_pb.ReportDone,
    REPORT_LEARNED_DONE: policy_pb.ReportLearnedDone,
    GET_BITLENGTHS_DONE: policy_pb.GetBitlengthsDone,
}

# The statuses the tests expect, by number: a second list, so that a changed number fails.
CORRUPT, UNSUPPORTED, INVALID, TOO_LARGE, RANGE, NOT_FOUND = -5001, -5002, -5010, -5012, -5013, -5020
FULL, QUOTA, RETRY, TIMEOUT, CANCELLED = -5030, -5031, -5032, -5040, -5041
NO_RUN, STALE, POLICY, DENIED, NOT_FINITE = -5021, -5060, -5061, -5062, -5063
SHUTTING_DOWN, SESSION_LOST, PROTOCOL, VERSION = -5044, -5046, -5050, -5051

# dtype: its number and the bytes of one element.
DTYPES = {
    "F32": (1, 4), "BF16": (2, 2), "F16": (3, 2), "F64": (4, 8), "F8_E4M3": (5, 1), "F8_E5M2": (6, 1),
    "I8": (16, 1), "U8": (17, 1), "I16": (18, 2), "U16": (19, 2), "I32": (20, 4), "U32": (21, 4),
    "I64": (22, 8), "U64": (23, 8), "BOOL": (32, 1), "C32": (40, 4), "C64": (41, 8), "C128": (42, 16),
}  # fmt: skip


@dataclass
class Frame:
    type: int
    request: int
    flags: int
    message: object  # parsed; None where the type has none
    body: bytes


def checksum(message: bytes, body: bytes) -> int:
    return xxhash.xxh3_64_intdigest(message + bytes(body) if body else message)


def header(kind: int, request: int, message: bytes, body: bytes, checked: bool, **override) -> bytes:
    """A frame's header; `override` replaces fields by name, to lie."""
    fields = {
        "magic": b"SW",
        "version": 1,
        "type": kind,
        "flags": CHECKED if checked else 0,
        "reserved": 0,
        "request": request,
        "message_bytes": len(message),
        "body_bytes": len(body),
        "reserved2": 0,
        "checksum": checksum(message, body) if checked else 0,
    }
    fields.update(override)
    return HEADER.pack(*fields.values())
