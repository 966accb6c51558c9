"""What the routes share: the state, and how a language, an id or an empty body is given."""

from typing import Annotated, Literal

from fastapi import Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict

from siffra.report.text.messages import Words
from siffra.web.pages import page_words
from siffra.web.state import AppState

LabId = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")]
RunKey = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$")]
ModelName = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,80}$")]


class Nothing(BaseModel):
    """The body of a request that needs none: `{}`."""

    model_config = ConfigDict(extra="forbid")


def _words(lang: Annotated[Literal["en", "sv"], Query()] = "en") -> Words:
    return page_words(lang)


def _state(request: Request) -> AppState:
    return request.app.state.siffra


Language = Annotated[Words, Depends(_words)]
App = Annotated[AppState, Depends(_state)]
