"""This machine's speed: training and scoring by siffra, beside its limits and other libraries."""
