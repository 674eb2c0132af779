"""A progress bar on stderr, where somebody looks at it."""

from __future__ import annotations

import sys
import time

_EVERY_S = 0.5


class Progress:
    def __init__(self, name: str, steps: int) -> None:
        self._name, self._steps = name, steps
        self._begin = self._shown = time.monotonic()
        self._first: int | None = None
        self._on = sys.stderr.isatty()

    def step(self, step: int, loss: float) -> None:
        now = time.monotonic()
        self._first = step - 1 if self._first is None else self._first
        if not self._on or now - self._shown < _EVERY_S:
            return
        self._shown = now
        done = step * 30 // self._steps
        left = (now - self._begin) / (step - self._first) * (self._steps - step)
        bar = "#" * done + "." * (30 - done)
        text = f"\r{self._name} [{bar}] {step}/{self._steps} loss {loss:.3f} {left:4.0f} s left "
        print(text, end="", file=sys.stderr)

    def end(self) -> None:
        if self._on:
            print(file=sys.stderr)
