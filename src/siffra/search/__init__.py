"""The best model for the seconds that there are: search under a training-time budget.

`budget` reads what was asked for, `space` says what can be proposed, `laying` what to start from,
`proposals` has Optuna propose, `timing` says how many steps of a candidate fit, `trial` trains and
scores it on validation images, `race` decides whose turn it is, `journal` keeps what was done so
that a killed search goes on, `search` drives all of them and `answer` says what was found.
"""
