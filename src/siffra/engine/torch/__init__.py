"""The engine that trains with PyTorch; nothing outside this package imports torch."""
