"""What the command line ends with, beside 0."""

UNREAD = 1
"""Whoever read its output has gone."""
MISTAKE = 2
"""Of the user's; or the machine lacks something."""
INTERRUPTED = 130
"""By Ctrl-C, as shells have it: 128 and the signal's number. So 143 by `kill`, 129 by a terminal
that was closed."""
