"""Calling C that calls back, without losing an exception.

ctypes prints what a callback raises and goes on with a result of 0, so that the list would come out short. A try block
is not enough in the main thread: an interrupt may be raised before its first line. Other threads get no interrupts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def collect(read: Callable[[Callable[..., int]], None], convert: Callable[..., T]) -> list[T]:
    """What `convert` makes of each item that `read` hands to its callback. Whatever either raises is raised here."""
    found: list[T] = []
    raised: list[BaseException] = []

    def each(*item: Any) -> int:
        try:
            found.append(convert(*item))
            return 0
        except BaseException as error:
            raised.append(error)
            return 1

    def work() -> None:
        try:
            read(each)
        except BaseException as error:
            raised.append(error)

    if threading.current_thread() is threading.main_thread():
        # An interrupt here leaves the other thread to its end: whatever it uses must not rely on this frame.
        worker = threading.Thread(target=work, name="spillway-read", daemon=True)
        worker.start()
        worker.join()
    else:
        work()
    if raised:
        raise raised[0]
    return found
