"""TensorBoard reads with its own stand-in for TensorFlow, whether that is installed or not."""

import sys
from types import ModuleType

sys.modules.setdefault("tensorboard.compat.notf", ModuleType("tensorboard.compat.notf"))
