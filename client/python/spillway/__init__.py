"""Spill tensors to spillwayd and fetch them back.

    import numpy, spillway

    with spillway.Client() as client:
        client.put("layer1/weight", numpy.zeros((256, 1024), "f4"), kind="weight")
        weight = client.get("layer1/weight")

`Client.push_policies` says which tensors are stored in which format, and `Client.open_run` begins a training job whose
learners move the formats' widths: spillway.policy has the words for it.

`spillway.torch.offload()` keeps the activations of a PyTorch training run in the daemon. It is imported apart, so that
this package needs no torch; numpy it needs only where it makes arrays, in Client.get and in get_async without `out`.
"""

from .client import Client, ObjectInfo, SpaceInfo, Ticket
from .policy import Policy, PolicySet
from .run import Run
from .errors import (
    ClosedError,
    CorruptError,
    DeadlineError,
    DeniedError,
    ForkedError,
    FullError,
    InternalError,
    NotFiniteError,
    NotFoundError,
    RetryError,
    SpillwayError,
    StaleError,
    SystemCallError,
    TensorLostError,
    UsageError,
)

__version__ = "0.1.0"

__all__ = [
    "Client",
    "ClosedError",
    "CorruptError",
    "DeadlineError",
    "DeniedError",
    "ForkedError",
    "FullError",
    "InternalError",
    "NotFiniteError",
    "NotFoundError",
    "ObjectInfo",
    "Policy",
    "PolicySet",
    "RetryError",
    "Run",
    "SpaceInfo",
    "SpillwayError",
    "StaleError",
    "SystemCallError",
    "TensorLostError",
    "Ticket",
    "UsageError",
]
