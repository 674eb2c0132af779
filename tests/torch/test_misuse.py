"""What is configured wrongly is said; what is odd, or fails in our own code, costs memory and not the training run."""

import threading
import time
import warnings

import pytest
import torch
from torch.overrides import TorchFunctionMode

import spillway
import spillway._entry
import spillway.torch
from models import Block, gradients, text_loss
from test_faults import in_child, offloaded_gradients, plain_gradients, refusal


@pytest.mark.parametrize(
    "options, message",
    [
        ({"format": "nonsense"}, "unknown format.*lossless.*sfp"),
        ({"format": "sfp-1-99-2"}, "unknown format"),
        ({"space": "no" * 100}, "space"),
        ({"name_prefix": "p" * 2000}, "name"),
    ],
)
@pytest.mark.parametrize("shared", [True, False], ids=["client", "endpoint"])
def test_settings_that_cannot_work_are_refused_at_the_entry(daemon, client, gone, options, message, shared):
    threads = threading.active_count()
    offload = spillway.torch.offload(client if shared else daemon.endpoint, **options)
    with pytest.raises(spillway.UsageError, match=message):
        offload.__enter__()
    # The hooks are not in force, and nothing is left behind.
    torch.randn(64, 64, requires_grad=True).exp().sum().backward()
    assert offload.stats.kept == {}
    assert threading.active_count() == threads
    gone()


def test_an_endpoint_that_is_none_is_refused_at_the_entry():
    with pytest.raises(spillway.UsageError, match="unxi:/tmp/x"):
        spillway.torch.offload("unxi:/tmp/x").__enter__()


FORMATS = ["lossless", "raw", "gecko", "rans", "window", "sfp-1-4-2", "sfp-0-x-7", "bm8", "mxint8", "fpraker"]


@pytest.mark.parametrize("format", FORMATS)
def test_known_formats_are_no_misuse(client, gone, format):
    with spillway.torch.offload(client, format=format):
        pass
    gone()


def test_what_a_format_is_not_for_stays(client, gone):
    """Whole numbers under a float format: said once, counted, and the rest goes its way."""
    indices = [torch.randint(0, 64, (64, 64)) for _ in range(3)]
    x = torch.randn(64, 64, requires_grad=True)
    with pytest.warns(RuntimeWarning, match="refuses some tensors") as said:
        with spillway.torch.offload(client, min_bytes=1024, format="sfp-1-8-23", window_bytes=0) as offload:
            y = x * 1
            sum(y.gather(1, index).exp().sum() for index in indices).backward()
    assert len(said) == 1
    assert offload.stats.kept["invalid"] == 3
    # What was gathered from, and three exponentials.
    assert offload.stats.spilled == 4
    gone()


def test_an_absent_daemon_is_said_once_and_tried_again(make_daemon):
    daemon = make_daemon()
    daemon.kill()
    offload = spillway.torch.offload(daemon.endpoint, min_bytes=1024, window_bytes=0)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with offload:
            assert gradients_of_step(1) == plain_gradients(1)
            assert offload.stats.spilled == 0 and offload.stats.kept["absent"] > 0
            daemon.start()
            until = time.monotonic() + 20
            while not offload.stats.spilled and time.monotonic() < until:
                assert gradients_of_step(2) == plain_gradients(2)
            assert offload.stats.spilled > 0
    assert [str(warning.message)[:26] for warning in said] == ["spillwayd cannot be reache"]
    assert said[0].filename == __file__


def gradients_of_step(seed):
    torch.manual_seed(seed)
    model = Block()
    text_loss(model).backward()
    return gradients(model)


def test_a_client_whose_daemon_is_away_is_said(make_daemon):
    daemon = make_daemon()
    with spillway.Client(daemon.endpoint, timeout=1) as client:
        daemon.kill()
        with pytest.warns(RuntimeWarning, match="cannot be reached"):
            offload = spillway.torch.offload(client, min_bytes=1024, timeout=1)
            assert offloaded_gradients(3, offload) == plain_gradients(3)


def test_settings_of_a_late_daemon_are_looked_at_too(make_daemon):
    daemon = make_daemon()
    daemon.kill()
    with pytest.warns(RuntimeWarning, match="cannot be reached"), pytest.raises(
        spillway.UsageError, match="unknown format"
    ):
        with spillway.torch.offload(daemon.endpoint, min_bytes=1024, format="nonsense"):
            daemon.start()
            until = time.monotonic() + 20
            while time.monotonic() < until:
                torch.randn(64, 64, requires_grad=True).exp()


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_nested_tensors_stay(client):
    def step():
        torch.manual_seed(4)
        nested = torch.nested.nested_tensor([torch.randn(300, 64), torch.randn(200, 64)]).requires_grad_()
        linear = torch.nn.Linear(64, 64)
        torch.nested.to_padded_tensor(linear(nested) * 2, 0.0).sum().backward()
        return linear.weight.grad.numpy().tobytes()

    plain = step()
    with spillway.torch.offload(client, min_bytes=1) as offload:
        assert step() == plain
    assert offload.stats.kept["nested"] >= 1
    assert "error" not in offload.stats.kept


@pytest.mark.parametrize("broken", ["traits_of", "Payload"])
def test_a_fault_of_ours_costs_memory_only(client, gone, monkeypatch, broken):
    """And the block ends all the same, and its thread with it."""

    def fail(*args, **kwargs):
        raise MemoryError("no room for notes")

    threads = threading.active_count()
    monkeypatch.setattr(spillway._session, broken, fail)
    offload = spillway.torch.offload(client, min_bytes=1024)
    assert offloaded_gradients(5, offload) == plain_gradients(5)
    assert offload.stats.kept["error"] > 0
    assert "no room for notes" in offload.stats.last_error
    until = time.monotonic() + 5
    while threading.active_count() > threads:
        assert time.monotonic() < until, "the session goes on"
        time.sleep(0.01)
    gone()


class ElsewhereByDefault(TorchFunctionMode):
    """Like `with torch.device("meta")` of version 2."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is torch.empty:
            kwargs.setdefault("device", "meta")
        return func(*args, **kwargs)


def test_another_default_device_is_not_where_bytes_are_fetched_to(client, gone):
    x = torch.randn(64, 64, requires_grad=True)
    with spillway.torch.offload(client, min_bytes=1024, window_bytes=0) as offload:
        total = x.exp().sum()
        with ElsewhereByDefault():
            torch.autograd.backward([total])
    assert torch.equal(x.grad, x.detach().exp())
    assert offload.stats.fetched == 1
    gone()


def test_flush_in_a_forked_child_says_so(client, gone):
    with spillway.torch.offload(client, min_bytes=1024, window_bytes=0) as offload:
        total = torch.randn(64, 64, requires_grad=True).exp().sum()

        def flush():
            begin = time.monotonic()
            return refusal(offload.flush), time.monotonic() - begin < 1

        assert in_child(flush) == ("FORKED", True)
        total.backward()
    gone()
