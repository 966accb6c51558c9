"""A user's own module: made by their function, and tried before it is trusted."""

import warnings
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from siffra.config import Factory, ModuleModel
from siffra.engine.base import blamed_on
from siffra.errors import ConfigError, SiffraWarning

_SQUASHING = {
    "SigmoidBackward0": "a sigmoid",
    "LogSigmoidBackward0": "a log-sigmoid",
    "TanhBackward0": "a tanh",
}
"""What keeps logits small, by PyTorch's name for its gradient."""
_VIEWS = ("View", "Reshape", "Squeeze", "Unsqueeze", "Permute", "Transpose", "Clone", "ToCopy")
"""What changes no number, by how PyTorch's names of such gradients begin."""


def make_module(model: ModuleModel, image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """The module that the function of `model` makes; it draws from PyTorch's generator.

    Layers that PyTorch calls lazy get their sizes from one image.

    Raises:
        ConfigError: The function is not at hand, fails, or makes something else.
    """
    factory = model.factory
    if not isinstance(factory, Factory):
        raise ConfigError(f"model: {factory} is only a name here; its function was not loaded.")
    sizes = {"image_shape": image_shape, "classes": classes}
    arguments = {name: sizes[name] for name in factory.given} | dict(model.arguments)
    with blamed_on(model):
        module = factory.make(**arguments)
    if not isinstance(module, nn.Module):
        raise ConfigError(f"model: {factory} made a {type(module).__name__}, not a nn.Module.")
    _give_sizes(model, module, image_shape)
    if not any(parameter.requires_grad for parameter in module.parameters()):
        raise ConfigError(f"model: {factory} made a module without parameters: nothing to train.")
    return module


def _give_sizes(model: ModuleModel, module: nn.Module, image_shape: tuple[int, int, int]) -> None:
    """Let lazy layers see an image, and see that all parameters are numbers then."""
    tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    if any(tensor.is_meta for tensor in tensors.values()):
        raise ConfigError(
            f"model: {model.factory} made a module on PyTorch's device `meta`, whose parameters "
            "have no numbers; make it on the CPU."
        )
    if any(is_lazy(tensor) for tensor in tensors.values()):
        height, width, channels = image_shape
        device = next(iter(tensors.values())).device
        was_training = module.training
        with blamed_on(model, " on an image"), torch.no_grad():
            module.eval()(torch.zeros(1, channels, height, width, device=device))
        module.train(was_training)
    for name, parameter in module.named_parameters():
        if is_lazy(parameter):
            raise ConfigError(
                f"model: {model.factory} made a module that makes no use of its lazy layer's "
                f"`{name}`, so that its size is unknown; leave the layer out."
            )


def expect_logits(
    model: ModuleModel, module: nn.Module, images: Sequence[torch.Tensor], classes: int
) -> None:
    """Check that `module` gives a row of logits for every image of each batch, as when training.

    Warns of a module that gives something else of the same shape, such as probabilities.

    Raises:
        ConfigError: It fails, or gives something else.
    """
    for batch in images:
        with blamed_on(model, f" on a batch of {len(batch)}"):
            logits = module.train()(batch)
        _expect_like_logits(model, logits, len(batch), classes)
        if not logits.requires_grad:
            raise ConfigError(
                f"model: {model.factory} gives logits that no parameter is trained by; its forward "
                "must not detach them or turn gradients off."
            )
    # Another batch, so that one that looks like probabilities by chance is none.
    last = images[-1]
    for mode in (True, False):
        batches = (last, torch.rand(last.shape, device=last.device))
        with blamed_on(model, "" if mode else " in evaluation mode"):
            outputs = [module.train(mode)(batch) for batch in batches]
        for logits in outputs:
            _expect_like_logits(model, logits, len(last), classes)
        ends = {_end(logits) for logits in outputs}
        if len(ends) == 1 and (end := ends.pop()):
            when = "" if mode else " when it predicts"
            warnings.warn(
                f"model: {model.factory} gives what {end} gives{when}, where siffra expects "
                f"logits and takes their softmax itself; leave out {end} at its end.",
                SiffraWarning,
                stacklevel=2,
            )
            return


def _expect_like_logits(model: ModuleModel, logits: object, images: int, classes: int) -> None:
    wanted = images, classes
    shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
    if not isinstance(logits, torch.Tensor) or shape != wanted:
        raise ConfigError(
            f"model: {model.factory} gives {shape} for {images} images; "
            f"it must give logits, {wanted}."
        )
    if not logits.is_floating_point():
        kind = str(logits.dtype).removeprefix("torch.")
        raise ConfigError(
            f"model: {model.factory} gives {kind}; it must give logits in floating point."
        )


def _end(logits: torch.Tensor) -> str | None:
    """What the numbers were made by at last, if that makes them no logits; else None."""
    numbers = logits.detach().double()
    # Each of a row's numbers is rounded once, and so is their sum.
    rounding = 4 * logits.shape[1] * torch.finfo(logits.dtype).eps
    for end, shares in (("a softmax", numbers), ("a log-softmax", numbers.exp())):
        is_share = (shares >= 0) & (shares <= 1 + rounding)
        if is_share.all() and ((shares.sum(1) - 1).abs() <= rounding).all():
            return end
    node = logits.grad_fn
    while node and node.name().startswith(_VIEWS) and node.next_functions:
        node = node.next_functions[0][0]
    return _SQUASHING.get(node.name()) if node else None
