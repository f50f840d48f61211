"""With PyTorch on an NVIDIA GPU: a step is recorded once as a CUDA graph, and then replayed.

Keras on PyTorch hands the GPU one kernel after the other, from Python. A step of a small network is some thousand of
them, and the GPU waits for Python most of the time; replayed, they go there at once. What is computed is the same
(`benchmarks/gpu_step.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.train.config import TrainConfig

Step = Callable[[NDArray[np.uint8], NDArray[np.int64]], tuple[float, float]]

# Calls before the recording: libraries choose their kernels and set themselves up in the first ones.
WARM_UP = 3


# The layers of which recording was seen to work. Others copy numbers to the GPU in every call, or wait for it.
_RECORDED = {
    "Add",
    "Conv2D",
    "Dense",
    "DepthwiseConv2D",
    "Dropout",
    "FusedBatchNormalization",
    "GlobalAveragePooling2D",
    "InputLayer",
    "ReLU",
    "TorchRescaling",
    "ZeroPadding2D",
}


def can_replay(model: Any) -> bool:
    """Whether what a model computes can be recorded: on PyTorch, on an NVIDIA GPU, of layers that are known to allow it.

    Args:
        model: A `keras.Model` that went through `with_fused_norm`.
    """
    import keras

    if keras.backend.backend() != "torch" or not _is_known(model):
        return False
    import torch

    return bool(torch.version.cuda) and str(model.variables[0].value.device.type) == "cuda"


def _is_known(model: Any) -> bool:
    # Dropout of whole maps makes its draws from a seed, which Keras reads back from the GPU.
    return all(
        type(layer).__name__ in _RECORDED and getattr(layer, "noise_shape", None) is None for layer in model.layers
    )


class Replayed:
    """A function of arrays that computes on the GPU alone, recorded for arrays of one shape.

    That is the shape of the first call, or of a later one with more pictures before anything is recorded. Others, such as
    the last batch of an epoch, are computed as without it; and so is everything on a processor.

    Args:
        function: Of tensors on the model's device; returns a list of such, and may change others in place.
        model: The `keras.Model` that it asks; only its device is kept.
    """

    def __init__(self, function: Callable[..., list[Any]], model: Any) -> None:
        self._function = function
        self._device = model.variables[0].value.device
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._graph: Any = None
        self._stream: Any = None
        self._calls = 0

    def __call__(self, *arrays: NDArray[Any]) -> list[Any]:
        import torch

        given = [torch.from_numpy(np.ascontiguousarray(array)).to(self._device) for array in arrays]
        if self._device.type != "cuda":
            return self._function(*given)
        if not self._inputs or (self._graph is None and len(given[0]) > len(self._inputs[0])):
            self._inputs, self._calls = [torch.empty_like(one) for one in given], 0
        if any(one.shape != place.shape for one, place in zip(given, self._inputs, strict=True)):
            return self._function(*given)
        if self._graph is None and self._calls < WARM_UP:
            self._calls += 1
            return self._beside(given)
        for one, place in zip(given, self._inputs, strict=True):
            place.copy_(one)
        if self._graph is None:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                self._outputs = self._function(*self._inputs)
            self._graph = graph
        self._graph.replay()
        return [one.clone() for one in self._outputs]

    def _beside(self, given: list[Any]) -> list[Any]:
        """On a stream of its own, as what is to be recorded afterwards must run."""
        import torch

        self._stream = self._stream or torch.cuda.Stream()
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            result = self._function(*given)
        torch.cuda.current_stream().wait_stream(self._stream)
        return result


def replayed_step(model: Any, config: TrainConfig) -> Step:
    """(images, labels) -> (loss, accuracy): what `model.train_on_batch` does with the optimizer that `prepare_model` gave it.

    Args:
        model: Compiled by `prepare_model`, on PyTorch.
        config: As `prepare_model` had it.

    Returns:
        A step of training. It leaves the state of Keras' optimizer behind, as Keras would.
    """
    import torch

    optimizer = model.optimizer
    variables = [variable.value for variable in model.trainable_variables]
    # Keras has no public way to the three; the lists are in the order of the trainable variables.
    momentums, velocities = (
        [variable.value for variable in some] for some in (optimizer._momentums, optimizer._velocities)
    )
    averages = [variable.value for variable in optimizer._model_variables_moving_average] if config.ema else []
    # The numbers that differ from step to step: of the step itself, of what decays, of the average's new part.
    rates = torch.zeros(3, device=variables[0].device)
    iteration = int(optimizer.iterations)

    def compute(images: Any, labels: Any) -> list[Any]:
        for variable in variables:
            variable.grad = None
        logits = model(images, training=True).float()
        smooth = labels * (1 - config.label_smoothing) + 0.5 * config.label_smoothing
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, smooth)
        loss.backward()
        with torch.no_grad():
            _adam([variable.grad for variable in variables])
            optimizer.iterations.value.add_(1)
            right = ((logits > 0) == (labels > 0.5)).float().mean()
        return [loss.detach(), right]

    def _adam(gradients: list[Any]) -> None:
        """Adam (Kingma and Ba, ICLR 2015), AdamW's decay (Loshchilov and Hutter, ICLR 2019), and the weights' average."""
        torch._foreach_mul_(variables, rates[1])
        torch._foreach_lerp_(momentums, gradients, 1 - optimizer.beta_1)
        torch._foreach_mul_(velocities, optimizer.beta_2)
        torch._foreach_addcmul_(velocities, gradients, gradients, value=1 - optimizer.beta_2)
        steps = torch._foreach_sqrt(velocities)
        torch._foreach_add_(steps, optimizer.epsilon)
        steps = torch._foreach_div(momentums, steps)
        torch._foreach_mul_(steps, rates[0])
        torch._foreach_sub_(variables, steps)
        if averages:
            change = torch._foreach_sub(variables, averages)
            torch._foreach_mul_(change, rates[2])
            torch._foreach_add_(averages, change)

    replayed = Replayed(compute, model)

    def step(images: NDArray[np.uint8], labels: NDArray[np.int64]) -> tuple[float, float]:
        nonlocal iteration
        rate = float(optimizer.learning_rate)
        corrected = rate * (1 - optimizer.beta_2 ** (iteration + 1)) ** 0.5 / (1 - optimizer.beta_1 ** (iteration + 1))
        rates[0] = corrected
        rates[1] = 1 - rate * (optimizer.weight_decay or 0.0)
        rates[2] = 1 - config.ema if config.ema and iteration else 1.0
        loss, right = replayed(images, labels.astype(np.float32)[:, None])
        iteration += 1
        return float(loss), float(right)

    return step
