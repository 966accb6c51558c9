"""A user's own module: made by their function, and tried before it is trusted."""

import torch
from torch import nn

from siffra.config import Factory, ModuleModel
from siffra.engine.blame import blamed_on
from siffra.errors import ConfigError


def make_module(model: ModuleModel, image_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """The module that the function of `model` makes; it draws from PyTorch's generator.

    Raises:
        ConfigError: The function is not at hand, fails, or makes something else.
    """
    factory = model.factory
    if not isinstance(factory, Factory):
        raise ConfigError(f"model: {factory} is only a name here; its function was not loaded.")
    given = {"image_shape": image_shape, "classes": classes}
    arguments = {name: given[name] for name in factory.given} | dict(model.arguments)
    with blamed_on(model):
        module = factory.make(**arguments)
    if not isinstance(module, nn.Module):
        raise ConfigError(f"model: {factory} made a {type(module).__name__}, not a nn.Module.")
    if not any(parameter.requires_grad for parameter in module.parameters()):
        raise ConfigError(f"model: {factory} made a module without parameters: nothing to train.")
    return module


def expect_logits(
    model: ModuleModel, module: nn.Module, images: list[torch.Tensor], classes: int
) -> None:
    """See that `module` gives a row of logits for every image of each batch, as when training.

    Raises:
        ConfigError: It fails, or gives something else.
    """
    module.train()
    for batch in images:
        with blamed_on(model, f" on a batch of {len(batch)}"), torch.no_grad():
            logits = module(batch)
        wanted = (len(batch), classes)
        shape = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
        if shape != wanted:
            raise ConfigError(
                f"model: {model.factory} gives {shape} for {len(batch)} images; "
                f"it must give logits, {wanted}."
            )
