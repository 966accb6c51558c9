"""What every description has in common: it cannot be changed, and takes nothing unknown."""

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A frozen description; a field that it does not have is a mistake."""

    # `strict` so that TOML's "0.1" or true is not taken for a number.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
