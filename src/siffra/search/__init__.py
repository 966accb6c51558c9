"""The best model for the seconds that there are: search under a training-time budget.

`spec` is what is asked for, `space` what can be proposed, `constraints` what fixed knobs leave of a
recipe. `candidates` lets in recipes and `proposals`, with the steps that `throughput` finds to fit;
`race` decides whose turn it is, on the images of `validation`, within the `time_budget`. `study`
keeps it all, so that a killed search goes on; `search` drives it, `confirmation` scores the winner
on the test sets, and `result` says what was found.

`tuning` searches the `ranges` of a training that siffra does not do itself, by any metric.
"""

from siffra.errors import SearchError

try:
    import optuna  # noqa: F401
except ModuleNotFoundError as error:
    raise SearchError(
        "search: Optuna is not installed; run `pip install 'siffra[search]'`."
    ) from error
