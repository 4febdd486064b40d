"""PEFT's LoRA layer with the adapter added in place.

The result is the same. Where PEFT's forward makes four tensors of the output's size, this makes one; on a CPU it takes
time to find memory for each. Training alone uses it; the weights are PEFT's and load anywhere.
"""

from typing import Any

import torch
import torch.nn.functional as F
from peft.tuners import lora
from torch.autograd.function import once_differentiable


class LoraLinear(lora.Linear):
    """A linear layer with frozen weights and an adapter without dropout, to be registered for `torch.nn.Linear`."""

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        if self.disable_adapters or self.merged:
            return super().forward(x, *args, **kwargs)
        (name,), base = self.active_adapters, self.get_base_layer()
        down, up = (factor[name].weight.to(x.dtype) for factor in (self.lora_A, self.lora_B))
        return _Adapted.apply(x, base.weight, base.bias, down, up, self.scaling[name])


class _Adapted(torch.autograd.Function):
    """x Wᵀ + bias + scaling · (x Aᵀ) Bᵀ, with gradients for x [..., in], A [rank, in] and B [out, rank]."""

    @staticmethod
    def forward(ctx: Any, x: Any, weight: Any, bias: Any, down: Any, up: Any, scaling: float) -> torch.Tensor:
        low, out = x @ down.T, F.linear(x, weight, bias)
        out.view(-1, out.shape[-1]).addmm_(low.view(-1, low.shape[-1]), up.T, alpha=scaling)
        ctx.save_for_backward(x, weight, down, up, low)
        ctx.scaling = scaling
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        x, weight, down, up, low = ctx.saved_tensors
        flat = gradient.reshape(-1, gradient.shape[-1])
        to_low = (flat @ up).mul_(ctx.scaling)
        to_x = None
        if ctx.needs_input_grad[0]:
            to_x = (flat @ weight).addmm_(to_low, down).view_as(x)
        to_down = to_low.T @ x.reshape(-1, x.shape[-1])
        to_up = (flat.T @ low.view(-1, low.shape[-1])).mul_(ctx.scaling)
        return to_x, None, None, to_down, to_up, None
