"""The words of the page: the report's catalogue, and the page's own in `languages/`."""

from functools import cache

from siffra.report.text.messages import Words, catalogue, words_in


@cache
def page_words(language: str) -> Words:
    """The words of `language`, the report's and the page's.

    Raises:
        SiffraError: There is no catalogue for it.
    """
    return Words(language, {**words_in(language).texts, **catalogue("siffra.web", language)})
