"""Learned bitlengths in a model: what is computed, saved, spilled, learned, and what happens when it goes wrong."""

import math

import pytest
import torch
from torch import nn

import spillway
import spillway.torch
from spillway import _kernels
from spillway._kernels import NEAREST, TRUNCATE, Widths
from spillway.policy import BitChop, Policy, PolicySet, Quantum
from spillway.torch import Learning, Run, Tap, learning_of, quantize


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.first = nn.Conv2d(1, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.relu = nn.ReLU()
        self.second = nn.Conv2d(8, 8, 3, padding=1)
        self.tap = Tap()
        self.gelu = nn.GELU()
        self.softmax = nn.Softmax(-1)
        self.head = nn.Linear(8 * 14 * 14, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.norm(self.first(images)))
        x = self.softmax(self.gelu(self.tap(self.relu(self.second(x)))))
        return self.head(x.flatten(1))


def batch(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (16, 1, 14, 14), generator=generator).float() / 256
    return images, torch.randint(10, (16,), generator=generator)


def train(model: nn.Module, run: Run, steps: int, lr: float = 0.05) -> list[float]:
    optimizer = torch.optim.SGD(model.parameters(), lr)
    losses = []
    for _ in range(steps):
        images, labels = batch(run.step)
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        run.report(loss, lr)
        losses.append(loss.item())
    return losses


def gradients(model: nn.Module) -> list[bytes]:
    return [parameter.grad.numpy().tobytes() for parameter in model.parameters()]


def test_layers_see_and_save_quantised_values() -> None:
    model, run = Net(), Run(steps=100)
    quantized = quantize(model, "m2e3", run)
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: saved.append(t) or t, lambda t: t):
        model(batch()[0])
    large = [t for t in saved if t.dtype == torch.float32 and t.dim() == 4 and t.shape[1] == 8 and len(t) == 16]
    assert large
    for tensor in large:
        again, _ = _kernels.quantise(tensor.contiguous(), Widths(2, 3))
        assert torch.equal(again, tensor)
    names = [bits.name for bits in quantized.bits()]
    for name in ("first.weight", "norm.in", "relu.out", "relu.out#2", "softmax.out", "head.weight"):
        assert name in names
    assert next(bits for bits in quantized.bits() if bits.name == "norm.in").lossless is False
    # What is quantised already is not quantised again.
    assert not {"second.in", "tap.out", "gelu.in", "head.in"} & set(names)


def test_an_input_without_gradients_stays_as_it_is(daemon) -> None:
    model, run = Net(), Run(steps=100)
    quantized = quantize(model, "qm+qe", run)
    images, labels = batch()
    seen = []
    model.first.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    model(images)
    assert seen[0] is images
    assert quantized.demand(images).format == "lossless"


@pytest.mark.parametrize("policy", ["m2e3", "m1e4-rne", "qm", "qm+qe", "bitchop", "bitwave"])
def test_spilled_values_come_back_exactly(client, gone, policy: str) -> None:
    results = []
    for spill in (False, True):
        model, run = Net(), Run(seed=5, steps=100)
        quantized = quantize(model, policy, run)
        images, labels = batch()
        if spill:
            with quantized.offload(client, min_bytes=1, window_bytes=0) as offload:
                loss = nn.functional.cross_entropy(model(images), labels)
                loss.backward()
            stats = offload.stats
        else:
            loss = nn.functional.cross_entropy(model(images), labels)
            loss.backward()
        results.append([loss.item(), *gradients(model), *(tuple(p.slopes) for p in quantized.points.values())])
        del loss
    assert results[0] == results[1]
    assert stats.labels["weight"].count >= 3
    assert stats.labels["activation"].raw_bytes > 2 * stats.labels["activation"].stored_bytes
    assert ("learning" in stats.labels) == policy.startswith("q")
    gone()


class Writes(nn.Module):
    """Adds to a quantised tensor in place, before the next layer saves it."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.first, self.tap, self.second = nn.Linear(50, 50), Tap(), nn.Conv1d(50, 5, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.tap(self.first(x))
        x += 0.123456
        return self.second(x[:, :, None]).square()


def test_what_was_written_in_place_is_not_taken_for_quantised(client) -> None:
    found = []
    for spill in (False, True):
        model = Writes()
        quantized = quantize(model, "m1e3", Run(steps=10))
        with quantized.offload(client, min_bytes=1, window_bytes=0) if spill else torch.enable_grad():
            model(torch.linspace(-1, 1, 3200).view(64, 50)).sum().backward()
        found.append(gradients(model))
        assert "second.in" in quantized.points
    assert found[0] == found[1]


def test_saved_only_leaves_the_forward_pass_alone(client) -> None:
    plain, reduced = Net(), Net()
    quantized = quantize(reduced, "saved-m1e4", Run(steps=100))
    images, labels = batch()
    expected = nn.functional.cross_entropy(plain(images), labels)
    expected.backward()
    with quantized.offload(client, min_bytes=1) as offload:
        loss = nn.functional.cross_entropy(reduced(images), labels)
        loss.backward()
    assert loss.item() == expected.item()
    assert torch.equal(plain.head.bias.grad, reduced.head.bias.grad)
    # Near, and not the same.
    there, here = plain.first.weight.grad, reduced.first.weight.grad
    assert not torch.equal(there, here)
    assert torch.nn.functional.cosine_similarity(there.flatten(), here.flatten(), 0) > 0.9
    assert offload.stats.raw_bytes > 3 * offload.stats.stored_bytes


@pytest.mark.parametrize("mantissa", [1.25, 3.5])
def test_slopes_are_differences_of_the_loss(mantissa: float) -> None:
    """A linear loss, all samples: what autograd brings is what changes from one whole bitlength to the next."""
    torch.manual_seed(1)
    tap, run = nn.Sequential(Tap()), Run(steps=100)
    by = Learning("quantum", exponent=True, mantissa_start=mantissa, exponent_start=3.5, sample_every=1)
    quantized = quantize(tap, by, run)
    x = torch.randn(8, 500, requires_grad=True)
    weights = torch.randn(8, 500)
    (tap(x) * weights).sum().backward()
    point = quantized.points["0.out"]
    assert torch.equal(x.grad, weights)

    def loss(widths: Widths) -> float:
        return float((_kernels.quantise(x.detach(), widths)[0].double() * weights.double()).sum())

    floor, drawn = point.floor, point.drawn
    by_mantissa = loss(Widths(floor.mantissa + 1, drawn.exponent)) - loss(Widths(floor.mantissa, drawn.exponent))
    by_exponent = loss(Widths(drawn.mantissa, floor.exponent + 1)) - loss(Widths(drawn.mantissa, floor.exponent))
    assert point.slopes[0] == pytest.approx(by_mantissa, rel=1e-5)
    assert point.slopes[1] == pytest.approx(by_exponent, rel=1e-5)


def test_bitlengths_fall_to_their_floors_and_freeze_whole() -> None:
    model, run = Net(), Run(steps=200)
    quantized = quantize(model, Learning("quantum", exponent=True, gamma=50.0), run)
    train(model, run, 100)
    large = [bits for bits in quantized.bits() if bits.values > 10_000]
    assert large and all(bits.mantissa == 1 and bits.exponent == 3 for bits in large)
    assert not quantized.frozen
    train(model, run, 75)
    assert quantized.frozen
    for bits in quantized.bits():
        assert bits.mantissa == math.floor(bits.mantissa) and bits.exponent == math.floor(bits.exponent)
    before = quantized.bits()
    train(model, run, 5)
    assert quantized.bits() == before


def test_a_bit_moves_no_further_than_it_may() -> None:
    model, run = Net(), Run(steps=1000)
    quantized = quantize(model, Learning("quantum", gamma=1000.0, rate=1000.0), run)
    train(model, run, 2)
    assert all(bits.mantissa >= 6.8 - 1e-9 for bits in quantized.bits())


@pytest.mark.parametrize("policy", ["qm+qe", "bitchop", "bitwave", "bitpruning"])
def test_a_loss_that_is_no_number_restores_full_widths(policy: str) -> None:
    model, run = Net(), Run(steps=1000)
    quantized = quantize(model, policy, run)
    train(model, run, 5)
    with pytest.warns(RuntimeWarning, match="full again"):
        assert run.report(math.nan, 0.1).restored
    model(batch()[0])
    full = 16 if policy == "bitpruning" else 23
    assert all(bits.mantissa == full for bits in quantized.bits())


def test_a_run_goes_on_where_it_stopped() -> None:
    for policy in ("qm+qe", "bitwave", "bitpruning"):
        whole_model, whole_run = Net(), Run(seed=2, steps=60)
        whole = quantize(whole_model, policy, whole_run)
        losses = train(whole_model, whole_run, 20)
        model, run = Net(), Run(seed=2, steps=60)
        quantize(model, policy, run)
        train(model, run, 10)
        later_model, later_run = Net(), Run(seed=2, steps=60)
        later = quantize(later_model, policy, later_run)
        later_model.load_state_dict(model.state_dict())
        later_run.load_state_dict(run.state_dict())
        assert train(later_model, later_run, 10) == losses[10:]
        assert later.bits() == whole.bits()


def test_paired_probes_leave_no_trace() -> None:
    model, run = Net(), Run(steps=1000)
    quantized = quantize(model, learning_of("bitwave-paired").but(warmup=0.0, period_steps=1), run)
    images, labels = batch()
    seen = []

    def probe() -> torch.Tensor:
        assert not torch.is_grad_enabled()
        seen.append(nn.functional.cross_entropy(model(images), labels))
        return seen[-1]

    loss = nn.functional.cross_entropy(model(images), labels)
    loss.backward()
    before = [buffer.clone() for buffer in model.buffers()]
    run.report(loss, 0.1, probe)
    assert len(seen) == 3
    assert all(torch.equal(now, then) for now, then in zip(model.buffers(), before))
    assert quantized.frozen is False


def test_workers_of_a_run_see_the_same_bitlengths(make_daemon) -> None:
    policy = Policy("acts", "sfp-1-8-7-rne", kinds=["activation"], learner=BitChop(period_steps=1, hold_steps=0))
    daemon = make_daemon("128M")
    with spillway.Client(daemon.endpoint) as first, spillway.Client(daemon.endpoint) as second:
        first.push_policies(PolicySet([policy]))
        shared = [client.open_run("r", seed=1, steps=1000, members=2) for client in (first, second)]
        runs = [Run(seed=1, steps=1000, shared=one) for one in shared]
        models = [Net(), Net()]
        workers = [quantize(model, policy, run) for model, run in zip(models, runs)]
        seen = []
        for step in range(30):
            for model in models:
                model(batch()[0])
            bits = [{(b.name, b.mantissa, b.exponent) for b in worker.bits()} for worker in workers]
            assert bits[0] == bits[1]
            seen.append(workers[0].mean_bits()[0])
            for run in runs:
                run.report(3 - 0.1 * step, 0.1)
        assert min(seen) < 7
    assert seen[0] == 7


def test_the_daemon_is_shown_what_is_learned_here(client) -> None:
    policy = Policy("learned", "sfp-1-8-7", learner=Quantum(exponent=True))
    client.push_policies(PolicySet([policy], space="shown"))
    run = Run(seed=1, steps=100, shared=client.open_run("shown", space="shown", seed=1, steps=100))
    model = Net()
    quantize(model, policy, run)
    train(model, run, 3)
    assert run.step == 3


def test_integers_mix_and_are_stored_whole(client) -> None:
    model, run = Net(), Run(steps=100)
    quantized = quantize(model, "bitpruning", run)
    images, labels = batch()
    with quantized.offload(client, min_bytes=1) as offload:
        nn.functional.cross_entropy(model(images), labels).backward()
    assert offload.stats.labels["activation"].raw_bytes > 2.5 * offload.stats.labels["activation"].stored_bytes
    run.report(1.0, 0.1)


@pytest.mark.parametrize("policy", ["bm6", "e4m3", "mxfp8", "group4"])
def test_formats(client, policy: str) -> None:
    model, run = Net(), Run(steps=100)
    quantized = quantize(model, policy, run)
    images, labels = batch()
    with quantized.offload(client, min_bytes=1) as offload:
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
    assert math.isfinite(loss.item())
    assert offload.stats.failures == 0
    assert all(torch.isfinite(parameter.grad).all() for parameter in model.parameters())


def test_detached_a_model_is_as_it_was() -> None:
    model, run = Net().eval(), Run(steps=10)
    images, _ = batch()
    before, names = model(images), list(model.state_dict())
    quantized = quantize(model.train(), "m1e3", run)
    assert not torch.equal(model(images), before)
    assert list(model.state_dict()) == names
    quantized.detach()
    fresh = Net().eval()
    assert torch.equal(fresh(images), before)
    model.load_state_dict(fresh.state_dict())
    assert torch.equal(model.eval()(images), before)


def test_constant_widths_cost_what_the_cost_function_says() -> None:
    model, run = nn.Sequential(Tap()), Run(steps=10)
    quantized = quantize(model, "m2e3", run)
    model(torch.randn(10, 100, requires_grad=True))
    assert quantized.account.bits == 1000 * 6 + 128
    assert quantized.account.values == 1000


@pytest.mark.parametrize("widths", [(2, 3), (1, 4), (5, 3), (0, 3)])
def test_the_cost_function_is_what_containers_take(widths: tuple[int, int]) -> None:
    """Without zeros, which containers may leave to a bitmap."""
    mantissa, exponent = widths
    x = torch.randn(200_000).sign() * (0.25 + 3 * torch.rand(200_000))
    for signed, values in ((1, x), (0, x.abs())):
        bits = 8 * spillway.torch.stored_bytes(values, f"sfp-0-{exponent}-{mantissa}")
        assert bits == pytest.approx(len(x) * (signed + exponent + mantissa) + 128, rel=0.01)


def test_rounding_is_the_containers(client) -> None:
    x = torch.randn(1000)
    for rounding, suffix in ((TRUNCATE, ""), (NEAREST, "-rne")):
        client.put("rounded", x.numpy(), format=f"sfp-1-3-2{suffix}")
        here, found = _kernels.quantise(x, Widths(2, 3), rounding)
        assert here.numpy().tobytes() == client.get("rounded").tobytes()
    assert _kernels.compare(x, here).max <= 1.0 and found.flushed > 0


def test_what_cannot_work_is_refused() -> None:
    for name in ("nonsense", "m2", "", "m99e3", "bm7", "saved-"):
        with pytest.raises((ValueError, spillway.UsageError)):
            model = nn.Sequential(Tap())
            quantize(model, name, Run(steps=1))
            model(torch.randn(10, requires_grad=True))
    for wrong in ({"gamma": -1.0}, {"gamma": math.nan}, {"sample_every": 0}, {"freeze_at": 0.0}, {"optimizer": "x"}):
        with pytest.raises(ValueError):
            Learning("quantum", **wrong)
    with pytest.raises(ValueError):
        Learning("bitchop", saved_only=True)
    with pytest.raises(ValueError):
        Run(steps=-1)
    with pytest.raises(spillway.UsageError, match="band"):
        quantize(nn.Sequential(Tap()), Learning("bitwave", band=-1.0), Run(steps=1))
