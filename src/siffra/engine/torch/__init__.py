"""The engine that trains with PyTorch; but for the bench, nothing else imports torch."""
