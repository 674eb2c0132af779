"""Which tensors leave the process, how often, and how they come back."""

import pytest
import torch
from torch.multiprocessing.reductions import StorageWeakRef

import spillway.torch
from spillway._footprint import DTYPES


WINDOWS = (0, 1 << 30)


class Save(torch.autograd.Function):
    """Saves tensors and shows in `seen` what backward gets of them."""

    seen: tuple = ()

    @staticmethod
    def forward(ctx, anchor, *tensors):
        ctx.save_for_backward(*tensors)
        return anchor.clone()

    @staticmethod
    def backward(ctx, grad):
        Save.seen = ctx.saved_tensors
        return (grad, *[None] * len(Save.seen))


def round_trip(client, *tensors, min_bytes=1):
    anchor = torch.zeros(1, requires_grad=True)
    with spillway.torch.offload(client, min_bytes=min_bytes, window_bytes=0) as offload:
        saved = Save.apply(anchor, *tensors)
        saved.backward()
        seen, Save.seen = Save.seen, ()
    return seen, offload.stats


def assert_same(original, restored):
    assert restored.dtype == original.dtype
    assert restored.shape == original.shape
    # Bits and not values: a NaN is a NaN with its payload.
    assert original.contiguous().clone().view(torch.uint8).equal(restored.contiguous().clone().view(torch.uint8))


@pytest.mark.parametrize("view", [lambda y: y, lambda y: y.view(-1), lambda y: y.detach().t()])
def test_window_lets_memory_go(client, gone, view):
    """A tensor that has landed is no longer held here, and neither is one that it was a view of."""
    anchor = torch.zeros(1, requires_grad=True)
    with spillway.torch.offload(client, window_bytes=1 << 30) as offload:
        y = torch.randn(1024, 1024)
        expected = view(y).clone()
        storage = StorageWeakRef(y.storage())
        saved = Save.apply(anchor, view(y))
        del y
        offload.flush()
        assert storage.expired()
        saved.backward()
    assert torch.equal(Save.seen[0], expected)
    assert offload.stats.spilled == offload.stats.fetched == 1
    gone()


def random(dtype, *shape):
    """Any bits, except for bool, which has two values."""
    if dtype == torch.bool:
        return torch.rand(shape) < 0.5
    width = torch.empty(0, dtype=dtype).element_size()
    words = torch.randint(0, 256, (*shape[:-1], shape[-1] * width), dtype=torch.uint8)
    return words.view(dtype)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", [(1,), (7,), (3, 5, 65), (65537,)], ids=str)
def test_every_dtype(client, gone, dtype, shape):
    tensor = random(dtype, *shape)
    (restored,), stats = round_trip(client, tensor)
    assert stats.spilled == stats.fetched == 1
    assert stats.raw_bytes == tensor.numel() * tensor.element_size()
    assert restored.data_ptr() != tensor.data_ptr()
    assert_same(tensor, restored)
    gone()


BASE = torch.randn(24, 40, 50)
VIEWS = {
    "transposed": BASE.transpose(0, 2),
    "permuted": BASE.permute(1, 2, 0),
    "flat": BASE.view(-1),
    "most rows": BASE[3:],
    "half the columns": BASE[:, :, 25:],
    "a few rows": BASE[5:9],
    "a few rows transposed": BASE[5:9].transpose(0, 2),
    "every other column": BASE[:, :, ::2],
    "every eighth column": BASE[:, :, ::8],
    "every eighth column transposed": BASE[:, :, ::8].transpose(0, 2),
    "one column": BASE[:, :, 17],
    "channels last": torch.randn(2, 8, 16, 16).contiguous(memory_format=torch.channels_last),
    "expanded": torch.randn(64, 1, 64).expand(64, 512, 64),
    "expanded from a slice": BASE[2:3, :, :10].expand(100, 40, 10),
    "sliding windows": torch.randn(4096).unfold(0, 64, 1),
    "bool mask": (BASE > 0).transpose(0, 1),
    "scalar of a matrix": BASE[3, 4, 5],
    "real part": torch.view_as_real(torch.randn(1000, dtype=torch.complex64))[:, 0],
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS.keys())
def test_views(client, gone, view):
    (restored,), stats = round_trip(client, view)
    assert stats.spilled == 1
    # Never more than what the view shows, or twice that where other views may share it, and the alignment.
    shown = min(view.numel(), view.storage().nbytes() // view.element_size())
    assert stats.raw_bytes <= 2 * shown * view.element_size() + 64
    assert torch.equal(restored, view)
    dense = stats.raw_bytes >= view.storage().nbytes() / 2
    assert not dense or restored.stride() == view.stride()
    assert restored.data_ptr() % 64 == view.data_ptr() % 64 or not dense
    gone()


def test_expanded_takes_no_room(client):
    expanded = torch.randn(64, 1, 64).expand(64, 512, 64)
    _, stats = round_trip(client, expanded)
    assert stats.raw_bytes == 64 * 64 * 4


def test_order_of_dimensions_in_memory_stays(client):
    sparse = BASE[:, :, ::8].transpose(0, 2)
    (restored,), _ = round_trip(client, sparse)
    order = sorted(range(3), key=lambda dim: sparse.stride(dim))
    assert sorted(range(3), key=lambda dim: restored.stride(dim)) == order


def test_shared_storage_is_saved_once(client, gone):
    tensor = torch.randn(100, 100)
    views = [tensor, tensor, tensor.t(), tensor[10:], tensor.view(-1), tensor[:10]]
    seen, stats = round_trip(client, *views)
    assert stats.spilled == 1
    assert stats.shared == len(views) - 1
    for view, restored in zip(views, seen):
        assert torch.equal(view, restored)
        assert view.stride() == restored.stride()
    # The small view fetched what it shows and not the storage.
    assert stats.fetched_bytes < 5 * 40000 + 4000 + 64
    gone()


@pytest.mark.parametrize("window_bytes", WINDOWS)
def test_another_version_is_another_object(client, window_bytes):
    tensor = torch.randn(100, 100)
    anchor = torch.zeros(1, requires_grad=True)
    with spillway.torch.offload(client, min_bytes=1, window_bytes=window_bytes) as offload:
        first = Save.apply(anchor, tensor)
        tensor.add_(1)
        second = Save.apply(anchor, tensor)
        second.backward()
        assert torch.equal(Save.seen[0], tensor)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            first.backward()
        offload.flush()
    assert offload.stats.spilled + offload.stats.withdrawn == 2


@pytest.mark.parametrize("window_bytes", WINDOWS)
def test_aliases_with_counters_of_their_own(client, window_bytes):
    """`.data` shares memory but not the version counter: the same version number says nothing."""
    tensor = torch.randn(100, 100)
    anchor = torch.zeros(1, requires_grad=True)
    with spillway.torch.offload(client, min_bytes=1, window_bytes=window_bytes):
        before = Save.apply(anchor, tensor.data)
        tensor.data.add_(1)
        after = Save.apply(anchor, tensor.data)
        after.backward()
        assert torch.equal(Save.seen[0], tensor)
        before.backward()


def test_what_stays(client):
    model = torch.nn.Linear(64, 64)
    stay = {
        "parameter": [model.weight, model.weight.t(), model.weight.view(-1)],
        "subclass": [torch.randn(64, 64).as_subclass(type("Sub", (torch.Tensor,), {}))],
        "layout": [torch.eye(64).to_sparse()],
        "quantized": [torch.quantize_per_tensor(torch.randn(64, 64), 0.1, 0, torch.qint8)],
        "device": [torch.empty(64, 64, device="meta")],
        "small": [torch.randn(8), torch.empty(0, 3), torch.randn(1).expand(64, 64)],
        "lazy": [torch.randn(64, 64, dtype=torch.complex64).conj()],
    }
    for reason, tensors in stay.items():
        seen, stats = round_trip(client, *tensors, min_bytes=4096)
        assert stats.kept == {reason: len(tensors)}, reason
        assert stats.spilled == 0
        for original, restored in zip(tensors, seen):
            assert restored.shape == original.shape
            if reason not in ("layout", "quantized", "device"):
                assert restored.data_ptr() == original.data_ptr()


def changed(change, offload):
    x = torch.randn(64, 64, requires_grad=True)
    with offload:
        y = x.exp()
        change(y)
        y.sum().backward()


@pytest.mark.parametrize(
    "change",
    [
        lambda y: y.detach().add_(1),
        lambda y: y.detach().view(-1)[3:5].zero_(),
        lambda y: y.detach().t().mul_(2),
    ],
)
@pytest.mark.parametrize("min_bytes", [1, 1 << 30], ids=["spilled", "kept"])
@pytest.mark.parametrize("window_bytes", WINDOWS)
def test_in_place_change_raises(client, gone, change, min_bytes, window_bytes):
    def offload():
        return spillway.torch.offload(client, min_bytes=min_bytes, window_bytes=window_bytes)

    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        changed(change, offload())
    changed(lambda y: None, offload())
    gone()


@pytest.mark.parametrize("window_bytes", WINDOWS)
def test_in_place_change_of_a_dead_view_raises(client, window_bytes):
    """The saved tensor object is gone; another alias changes the memory."""
    base = torch.randn(64, 64)
    anchor = torch.zeros(1, requires_grad=True)
    with spillway.torch.offload(client, min_bytes=1, window_bytes=window_bytes):
        saved = Save.apply(anchor, base.detach().view(-1))
        base.add_(1)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            saved.backward()


def test_entering_twice_is_refused(client):
    with spillway.torch.offload(client) as offload:
        with pytest.raises(RuntimeError, match="in use"):
            offload.__enter__()
    with offload:
        pass
