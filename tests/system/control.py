"""The control plane through Debian's grpcio: paths and messages from the .proto files, and no code of ours."""

from __future__ import annotations

import control_pb2
import grpc
import health_pb2
import policy_pb2
import spillway_pb2
from google.protobuf import message_factory

TIMEOUT_S = 20

_SERVICES = {
    service.full_name: service
    for module in (control_pb2, health_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
}


class Control:
    """A channel. `call("Objects.List", space="a")` makes a message of the method's input type and sends it."""

    def __init__(self, target: str, **options: int) -> None:
        # A channel of its own: grpcio shares subchannels between channels of equal arguments.
        arguments = {"grpc.use_local_subchannel_pool": 1, **options}
        self.channel = grpc.insecure_channel(target, options=list(arguments.items()))

    def close(self) -> None:
        self.channel.close()

    def __enter__(self) -> Control:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @staticmethod
    def _method(name: str):
        service, _, method = name.rpartition(".")
        if service not in _SERVICES:
            service = f"spillway.v1.{service}"
        found = _SERVICES[service].methods_by_name[method]
        classes = message_factory.MessageFactory(found.input_type.file.pool)
        return f"/{service}/{method}", classes.GetPrototype(found.input_type), classes.GetPrototype(found.output_type)

    def call(self, method: str, /, timeout: float = TIMEOUT_S, metadata=(), **fields):
        path, request, answer = self._method(method)
        stub = self.channel.unary_unary(
            path, request_serializer=request.SerializeToString, response_deserializer=answer.FromString
        )
        return stub(request(**fields), timeout=timeout, metadata=metadata)

    def watch(self, method: str, /, timeout: float | None = None, **fields):
        """An iterator over a stream's messages, which can also be cancelled."""
        path, request, answer = self._method(method)
        stub = self.channel.unary_stream(
            path, request_serializer=request.SerializeToString, response_deserializer=answer.FromString
        )
        return stub(request(**fields), timeout=timeout)

    def raw(self, path: str, request: bytes, timeout: float = TIMEOUT_S) -> bytes:
        """Bytes to a path, whatever they are."""
        return self.channel.unary_unary(path)(request, timeout=timeout)

    def push(self, space: str = "default", *policies: policy_pb2.Policy, **fields) -> int:
        fields.setdefault("any_version", True)
        policies = policies or (policy_pb2.Policy(name="all", format="sfp-1-4-2"),)
        return self.call(
            "Policies.Push", set=policy_pb2.PolicySet(space=space, policies=policies), **fields
        ).version


def status_of(error: grpc.RpcError) -> str:
    """status.def's name, which comes along with every error."""
    return dict(error.trailing_metadata()).get("spillway-status", "")


def tensor(dtype: int, *shape: int) -> spillway_pb2.TensorDesc:
    return spillway_pb2.TensorDesc(dtype=dtype, shape=shape)
