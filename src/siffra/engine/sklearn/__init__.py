"""Estimators of scikit-learn's, and classes in their manner; an extra, `siffra[sklearn]`."""
