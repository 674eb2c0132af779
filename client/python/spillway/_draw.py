"""The integer bitlength of a real-valued one, for a tensor at a step: the same wherever it is asked for."""

from __future__ import annotations

import hashlib
import math


def draw(n: float, seed: int, tensor: str, step: int) -> int:
    """floor n or floor n + 1, so that the mean over steps is n."""
    floor = math.floor(n)
    key = f"{seed}/{tensor}/{step}".encode()
    chance = int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "little") / 2**64
    return floor + (chance < n - floor)
