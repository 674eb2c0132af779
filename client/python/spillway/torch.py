"""Activations of a PyTorch training run, kept in spillwayd between forward and backward.

    import spillway.torch

    with spillway.torch.offload() as offload:
        for batch, target in loader:
            loss = loss_of(model(batch), target)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
    print(offload.stats)

Losses and gradients are the same to the bit as without it, unless `format` or a policy of the daemon asks for a lossy
format. What cannot be spilled stays in the process and is counted: the daemon's absence or a full store never ends a
training run. Only a tensor that was spilled and is lost does, with a TensorLostError in the backward pass.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch.autograd.graph import saved_tensors_hooks

from . import errors
from ._entry import Demand
from ._kernels import stored_bytes
from ._footprint import reason_to_stay
from ._handles import Kept, Spilled
from ._opening import Opening
from ._session import Session, Settings
from ._stats import OffloadStats
from .client import Client
from .run import Run as SharedRun
from .torch_quantize import Learning, PointBits, Quantized, Run, Tap, learning_of, quantize

__all__ = [
    "Demand",
    "Learning",
    "Offload",
    "OffloadStats",
    "PointBits",
    "Quantized",
    "Run",
    "Tap",
    "learning_of",
    "offload",
    "quantize",
    "stored_bytes",
]

# Below this a round trip to the daemon costs more than the memory is worth.
_MIN_BYTES = 16 * 1024

# Enough for the daemon to encode one tensor while the network makes the next.
_WINDOW_BYTES = 16 << 20


class Offload:
    """See offload(). `stats` counts over all blocks; each thread needs an object of its own."""

    def __init__(self, client: Client | str | None, min_bytes: int, settings: Settings) -> None:
        self.stats = OffloadStats()
        self._client = client
        self._min_bytes = min_bytes
        self._settings = settings
        self._session: Session | None = None
        self._opening: Opening | None = None
        # Why there is no session.
        self._absent = ""
        self._hooks: saved_tensors_hooks | None = None
        # What saving a tensor raised: the end of the block restores it.
        self._raised: errors.SpillwayError | None = None

    def __enter__(self) -> Offload:
        if self._hooks is not None:
            raise RuntimeError("this offload is in use already: make another one, for the same client if you like")
        self._opening = Opening(self._client, self._settings, self.stats)
        self._take(self._opening.enter())
        self._hooks = saved_tensors_hooks(self._pack, _unpack)
        self._hooks.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        hooks, self._hooks = self._hooks, None
        assert hooks is not None
        hooks.__exit__(*exc)
        session, self._session = self._session, None
        raised, self._raised = self._raised, None
        if session:
            raised, session.raised = raised or session.raised, None
            session.exit()
        _restore(exc[1], raised)

    def flush(self) -> None:
        """Waits until what autograd has dropped so far is freed in the daemon, and `stats` says so."""
        if self._session:
            self._session.flush()

    def _take(self, opened: Session | str) -> None:
        self._session, self._absent = (opened, "") if isinstance(opened, Session) else (None, opened)

    def _pack(self, tensor: torch.Tensor) -> Kept | Spilled:
        try:
            reason = reason_to_stay(tensor, self._min_bytes)
            spilled = reason or self._spill(tensor)
        except errors.UsageError as error:
            # What was asked for will never work. A copy, for a traceback would keep us alive.
            self._raised = copy.copy(error)
            raise
        except Exception as failure:
            # Whatever is wrong with this tensor, or with us: plain torch would have saved it.
            self.stats.last_error = f"{type(failure).__name__}: {failure}"
            spilled = "error"
        if isinstance(spilled, Spilled):
            return spilled
        self.stats.keep(spilled, _bytes_of(tensor))
        return Kept(tensor)

    def _spill(self, tensor: torch.Tensor) -> Spilled | str:
        if self._session is None and self._opening:
            self._take(self._opening.later())
        return self._session.spill(tensor) if self._session else self._absent


def _bytes_of(tensor: torch.Tensor) -> int:
    try:
        return tensor.numel() * tensor.element_size()
    except Exception:  # torch has tensors that know no size
        return 0


def _unpack(handle: Kept | Spilled) -> torch.Tensor:
    return handle.restore()


def _restore(passing: object, raised: errors.SpillwayError | None) -> None:
    """Before version 2, torch made a RuntimeError of what our hooks raised, with the message somewhere in it."""
    if raised and type(passing) is RuntimeError and str(raised) in str(passing):
        raise raised from passing


def offload(
    client: Client | str | None = None,
    *,
    min_bytes: int = _MIN_BYTES,
    format: str | Callable[[torch.Tensor], Demand | str | None] | None = None,
    run: SharedRun | None = None,
    space: str | None = None,
    name_prefix: str = "autograd",
    timeout: float = 10.0,
    window_bytes: int = _WINDOW_BYTES,
) -> Offload:
    """A context manager: tensors that autograd saves inside it live in spillwayd until it drops them.

    client      a Client, which stays open, or an endpoint to connect to ("unix:PATH"); None takes the usual one.
    min_bytes   smaller tensors stay in the process.
    format      None leaves it to the space's policies, lossless where there are none; "lossless" demands that. A
                function is asked for each tensor that is saved, and returns one of these or a Demand. A storage is
                shared by saves that demand the same format.
    run         what Client.open_run gave: tensors are stored at the widths of its step, which run.report() moves on.
    space       where objects go; None: the run's, or "default".
    name_prefix objects are called PREFIX/PROCESS-RANDOM/NUMBER.
    timeout     seconds that one spill or fetch may take.
    window_bytes  how much may be on its way to the daemon while the forward pass goes on; 0 waits for each tensor.
                A tensor needed while it is on its way is not fetched. This much memory the trainer does not save.

    Saved once is what shares a storage, while its bytes stay the same. Parameters and their views, sparse and quantised
    tensors, subclasses, nested ones, lazy conjugates and whatever is neither on the CPU nor on CUDA stay in the
    process. So does everything while the daemon is full or away, and what a demanded format is not for; `stats.kept`
    counts saves by reason.

    A format, space or endpoint that cannot work raises UsageError when the block is entered. A daemon that is away is
    a warning then: it is tried again, in growing intervals, while the block lasts.

    A saved tensor lives in the daemon as long as autograd holds it, also when the block has ended. Changing it in
    place before the backward pass raises what plain torch raises. A loader may refill the memory of a batch behind
    torch's back: what was saved comes back. A storage that is resized while it is on its way is kept, as "moved". The
    object may be entered again after it was left.
    """
    space = space or (run.space if run else "default")
    if client is None and run is not None:
        client = run.client
    settings = Settings(space, name_prefix, format, max(1, int(timeout * 1000)), window_bytes, run)
    return Offload(client, min_bytes, settings)
