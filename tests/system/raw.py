"""A plain client on one socket. It behaves well unless a test tells it otherwise."""

from __future__ import annotations

import os
import socket
import time

import policy_pb2 as policy_pb
import spillway_pb2 as pb
import wire

WINDOW = 4 << 20
WAIT_S = 60.0


class Refused(Exception):
    """The server ended a request with ERROR."""

    def __init__(self, error) -> None:
        super().__init__(f"{error.status}: {error.text}")
        self.status = error.status
        self.text = error.text
        self.retry_after_ms = error.retry_after_ms
        self.format = error.format
        self.policy_version = error.policy_version


class Gone(Exception):
    """The server closed the connection."""


class Raw:
    def __init__(self, endpoint: str, *, hello: bool = True, window: int = WINDOW, **options) -> None:
        kind, _, place = endpoint.partition(":")
        self.checked = kind == "tcp"
        if self.checked:
            host, _, port = place.rpartition(":")
            self.socket = socket.create_connection((host, int(port)), timeout=WAIT_S)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(WAIT_S)
            try:
                self.socket.connect(place)
            except OSError:
                self.socket.close()
                raise
        self.credit = 0
        self.returns_credit = True
        self.last_request = 0
        self.early: list[wire.Frame] = []  # frames of other requests, read while waiting for one
        self.secret = options.get("secret") or os.urandom(16)
        if hello:
            try:
                self.hello(window, **options)
            except (Refused, Gone):
                self.close()
                raise

    def __enter__(self) -> Raw:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    # --- frames

    def send(self, kind: int, request: int = 0, message=b"", body: bytes = b"", **override) -> None:
        packed = message if isinstance(message, bytes) else message.SerializeToString()
        head = wire.header(kind, request, packed, body, self.checked, **override)
        try:
            self.socket.sendall(head + packed + body)
        except ConnectionError:
            pass  # cut off: why, is for who reads

    def _exactly(self, count: int) -> bytes:
        parts = []
        while count > 0:
            try:
                part = self.socket.recv(min(count, 1 << 20))
            except ConnectionError as error:
                raise Gone(str(error)) from None
            if not part:
                raise Gone("end of stream")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def receive(self) -> wire.Frame:
        """The next frame from the socket, checked against WIRE.md."""
        magic, version, kind, flags, zero, request, message_bytes, body_bytes, zero2, checksum = wire.HEADER.unpack(
            self._exactly(wire.HEADER.size)
        )
        assert (magic, version, zero, zero2) == (b"SW", 1, 0, 0), "not a frame"
        assert message_bytes <= wire.MAX_MESSAGE and body_bytes <= wire.MAX_BODY
        message = self._exactly(message_bytes)
        body = self._exactly(body_bytes)
        assert flags == (wire.CHECKED if self.checked else 0), f"flags {flags}"
        if self.checked:
            assert checksum == wire.checksum(message, body), "the server's checksum does not hold"
        parser = wire.ANSWERS[kind]
        frame = wire.Frame(kind, request, flags, parser.FromString(message) if parser else None, body)
        if kind == wire.CREDIT:
            self.credit += frame.message.bytes
        if body and self.returns_credit:
            self.give_credit(len(body))
        return frame

    def wait_for(self, request: int) -> wire.Frame:
        """The next frame of this request. Frames of others are kept for whoever waits for them."""
        for i, frame in enumerate(self.early):
            if frame.request == request:
                return self.early.pop(i)
        while True:
            frame = self.receive()
            if frame.type == wire.ERROR and frame.request == 0:
                raise Refused(frame.message)
            if frame.type == wire.CREDIT:
                continue
            if frame.request == request:
                return frame
            self.early.append(frame)

    def answer(self, request: int) -> wire.Frame:
        frame = self.wait_for(request)
        if frame.type == wire.ERROR:
            raise Refused(frame.message)
        return frame

    def new_request(self) -> int:
        self.last_request += 1
        return self.last_request

    def ask(self, kind: int, message=b"") -> wire.Frame:
        request = self.new_request()
        self.send(kind, request, message)
        return self.answer(request)

    def give_credit(self, count: int) -> None:
        self.send(wire.CREDIT, 0, pb.Credit(bytes=count))

    # --- the protocol

    def hello(self, window: int = WINDOW, *, secret: bytes | None = None, resume: bool = False, versions=(1, 1),
              client: str = "tests/system") -> None:  # fmt: skip
        self.send(
            wire.HELLO,
            0,
            pb.Hello(
                version_min=versions[0],
                version_max=versions[1],
                session_secret=self.secret if secret is None else secret,
                client=client,
                receive_window=window,
                resume=resume,
            ),
        )
        frame = self.answer(0)
        assert frame.type == wire.WELCOME
        self.welcome = frame.message
        self.credit = self.welcome.send_window

    @staticmethod
    def describe(name: str, dtype: str = "U8", shape=(), space: str = "default", **fields) -> pb.Put:
        tensor = pb.TensorDesc(dtype=wire.DTYPES[dtype][0], shape=shape)
        return pb.Put(space=space, name=name, tensor=tensor, **fields)

    def start_put(self, message: pb.Put, body: bytes = b"") -> int:
        request = self.new_request()
        self.send(wire.PUT, request, message, body)
        self.credit -= len(body)
        return request

    def send_data(self, request: int, data) -> None:
        """Sends bytes as credit allows; stops when the server ends the request."""
        view = memoryview(data)
        while len(view) > 0:
            while self.credit == 0 and not self.ended(request):
                self.read_ahead()
            if self.ended(request):
                return
            count = min(len(view), self.credit, wire.MAX_BODY)
            self.send(wire.DATA, request, b"", bytes(view[:count]))
            self.credit -= count
            view = view[count:]

    def read_ahead(self) -> None:
        """Reads one frame, of whatever request, and keeps it; CREDIT is taken note of."""
        frame = self.receive()
        if frame.type != wire.CREDIT:
            self.early.append(frame)

    def ended(self, request: int) -> bool:
        return any(frame.request in (0, request) and frame.type == wire.ERROR for frame in self.early)

    def put(self, name: str, data: bytes = b"", dtype: str = "U8", shape=None, **fields) -> pb.ObjectInfo:
        if shape is None:
            shape = (len(data) // wire.DTYPES[dtype][1],)
        request = self.start_put(self.describe(name, dtype, shape, **fields))
        self.send_data(request, data)
        frame = self.answer(request)
        assert frame.type == wire.PUT_DONE
        return frame.message.object

    def start_get(self, name: str, space: str = "default", **fields) -> int:
        request = self.new_request()
        self.send(wire.GET, request, pb.Get(space=space, name=name, **fields))
        return request

    def finish_get(self, request: int) -> tuple[pb.ObjectInfo, bytes]:
        frame = self.answer(request)
        assert frame.type == wire.GET_BEGIN
        parts, wanted = [frame.body], frame.message.body_bytes
        have = len(frame.body)
        while have < wanted:
            data = self.answer(request)
            assert data.type == wire.DATA
            parts.append(data.body)
            have += len(data.body)
        assert have == wanted, f"{have} bytes of {wanted}"
        return frame.message.object, b"".join(parts)

    def get(self, name: str, **fields) -> bytes:
        return self.finish_get(self.start_get(name, **fields))[1]

    def stat(self, name: str, space: str = "default") -> pb.ObjectInfo:
        return self.ask(wire.STAT, pb.Stat(space=space, name=name)).message.object

    def exists(self, name: str, space: str = "default") -> bool:
        try:
            self.stat(name, space)
        except Refused as refused:
            assert refused.status == wire.NOT_FOUND
            return False
        return True

    def free(self, *names: str, space: str = "default") -> pb.FreeDone:
        return self.ask(wire.FREE, pb.Free(space=space, names=names)).message

    def free_group(self, group: int) -> pb.FreeDone:
        return self.ask(wire.FREE_GROUP, pb.FreeGroup(group=group)).message

    def stats(self) -> dict[str, int]:
        return {counter.name: counter.value for counter in self.ask(wire.STATS).message.counters}

    def names(self, prefix: str = "", space: str = "default", limit: int = 0) -> list[str]:
        found: list[str] = []
        while True:
            after = found[-1] if found else ""
            page = self.ask(wire.LIST, pb.List(space=space, prefix=prefix, after=after, limit=limit)).message
            found += [info.name for info in page.objects]
            if not page.more:
                return found

    # --- policies and runs

    def push(self, *policies: policy_pb.Policy, space: str = "default", expected: int | None = None) -> int:
        """Puts a set in force; without an expected version, whatever is. Its version."""
        message = policy_pb.PushPolicies(
            set=policy_pb.PolicySet(space=space, policies=policies),
            expected_version=expected or 0,
            any_version=expected is None,
        )
        return self.ask(wire.PUSH_POLICIES, message).message.version

    def policies(self, space: str = "default") -> policy_pb.PolicySet:
        return self.ask(wire.GET_POLICIES, policy_pb.GetPolicies(space=space)).message.set

    def open_run(self, run: str, space: str = "default", **settings) -> policy_pb.OpenRunDone:
        return self.ask(
            wire.OPEN_RUN, policy_pb.OpenRun(settings=policy_pb.RunSettings(run=run, space=space, **settings))
        ).message

    def report(self, run: str, step: int, loss: float, member: int = 0, **fields) -> policy_pb.ReportDone:
        message = policy_pb.Report(run=run, member=member, step=step, loss=loss, **fields)
        return self.ask(wire.REPORT, message).message

    def bitlengths(self, run: str, step: int) -> policy_pb.GetBitlengthsDone:
        return self.ask(wire.GET_BITLENGTHS, policy_pb.GetBitlengths(run=run, step=step)).message

    def ping(self) -> None:
        assert self.ask(wire.PING).type == wire.PONG

    def bye(self) -> None:
        self.send(wire.BYE)
        try:
            while True:
                self.receive()
        except Gone:
            pass
        self.close()

    def end_of_stream(self) -> pb.Error | None:
        """Reads until the server closes: the last ERROR on request 0, if one came."""
        last = None
        until = time.monotonic() + WAIT_S
        try:
            while time.monotonic() < until:
                frame = self.receive()
                if frame.type == wire.ERROR and frame.request == 0:
                    last = frame.message
        except Gone:
            return last
        raise AssertionError("the connection stays open")
