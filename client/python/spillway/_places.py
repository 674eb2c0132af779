"""Where in a model points are: at which layers, found by their types, and under which names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import nn

from ._points import Point, Quantise, Relu, Softmax, can_quantise

if TYPE_CHECKING:
    from .torch_quantize import Quantized

# Layers whose backward pass needs what came in.
_TAKES = (
    nn.modules.conv._ConvNd,
    nn.Linear,
    nn.modules.batchnorm._BatchNorm,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.GELU,
    nn.SiLU,
)
# Layers whose weights are worth their bits; those of norms are vectors.
_WEIGHTS = (nn.modules.conv._ConvNd, nn.Linear)


class Tap(nn.Module):
    """An identity: quantize() quantises what passes. For what no layer shows, as the operands of attention."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


class Places:
    """Hooks in a model. `inside`: its forward pass is under way."""

    def __init__(self, owner: Quantized, saved_only: bool) -> None:
        self.inside = False
        self._owner = owner
        self._calls: Counter = Counter()
        self._replaced: list[nn.Module] = []
        model = owner.model
        self._hooks = [model.register_forward_pre_hook(self._enter), model.register_forward_hook(self._leave)]
        for name, module in () if saved_only else model.named_modules():
            self._attach_to(name or type(module).__name__, module)

    def detach(self) -> None:
        for hook in self._hooks:
            hook.remove()
        for module in self._replaced:
            module.__dict__.pop("forward", None)
            module.__dict__.pop("weight", None)
        self._hooks, self._replaced = [], []

    def _attach_to(self, name: str, module: nn.Module) -> None:
        if isinstance(module, nn.ReLU):
            self._replace(module, lambda x: self._through(x, f"{name}.out", Relu))
        elif isinstance(module, nn.Softmax):
            self._replace(module, lambda x: self._through(x, f"{name}.out", Softmax, module.dim))
        elif isinstance(module, Tap):
            self._replace(module, lambda x: self._through(x, f"{name}.out", Quantise))
        elif isinstance(module, _TAKES):
            if isinstance(module, _WEIGHTS):
                self._replaced.append(module)
                self._hooks.append(module.register_forward_hook(_weight_back))
            self._hooks.append(module.register_forward_pre_hook(lambda m, inputs: self._before(name, m, inputs)))

    def _replace(self, module: nn.Module, forward: Callable) -> None:
        module.forward = forward  # type: ignore[method-assign]
        self._replaced.append(module)

    def _enter(self, module: nn.Module, inputs: tuple) -> None:
        self.inside = True
        self._calls.clear()
        self._owner.begin(inputs)

    def _leave(self, module: nn.Module, inputs: tuple, output: object) -> None:
        self.inside = False

    def _before(self, name: str, module: nn.Module, inputs: tuple) -> tuple:
        if isinstance(module, _WEIGHTS):
            self._quantise_weight(name, module)
        return (self._through(inputs[0], f"{name}.in", Quantise), *inputs[1:])

    def _quantise_weight(self, name: str, module: nn.Module) -> None:
        weight = module._parameters.get("weight")
        if weight is None or not can_quantise(weight) or not weight.requires_grad:
            return
        # Found before the parameter, which stays what it is, with its place in the state.
        module.__dict__["weight"] = Quantise.apply(weight, self._owner.point(f"{name}.weight", "weight"))

    def _through(self, x: torch.Tensor, name: str, function: type, *extra: object) -> torch.Tensor:
        """What a point makes of a tensor. One that is quantised already passes."""
        quantises = function is Quantise
        if not can_quantise(x) or (quantises and self._owner.is_quantised(x)):
            return x if quantises else _plain(function, x, *extra)
        self._calls[name] += 1
        place = name if self._calls[name] == 1 else f"{name}#{self._calls[name]}"
        point = self._known(place, x)
        if point is None or point.lossless:
            return x if quantises else _plain(function, x, *extra)
        return function.apply(x, point, *extra)

    def _known(self, place: str, x: torch.Tensor) -> Point | None:
        """The point of this place. Outside training no new ones are made, for there it is not seen whether gradients
        reach them."""
        if place in self._owner.points or torch.is_grad_enabled():
            point = self._owner.point(place, "activation")
            if torch.is_grad_enabled() and point.values == 0:
                point.lossless = not x.requires_grad
            return point
        return None


def _weight_back(module: nn.Module, inputs: tuple, output: object) -> None:
    module.__dict__.pop("weight", None)


def _plain(function: type, x: torch.Tensor, *extra: object) -> torch.Tensor:
    return torch.relu(x) if function is Relu else torch.softmax(x, *extra)  # type: ignore[arg-type]
