"""How large data may be."""

LIMIT = 8 * 2**30
"""The most bytes that the arrays of a data set may have."""
MOST_FEATURES = 10_000
"""The most columns of a table."""
