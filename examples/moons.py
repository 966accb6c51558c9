"""A training script as anybody might have one: `python moons.py --lr 0.3 --seed 1`.

It trains a small network on two moons of points, and prints a JSON object an epoch. It knows
nothing of siffra; docs/command.md asks what its learning rate does.
"""

import argparse
import json

import numpy as np


def moons(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Points of two half circles, and which of the two each is of."""
    y = np.arange(n) % 2
    angle = rng.uniform(0, np.pi, n)
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    x[y == 1] = [1.0, 0.5] - x[y == 1]
    return x + rng.normal(0, 0.2, (n, 2)), y


def main() -> None:
    """Train, and print the loss on other points after each epoch."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    (x, y), (x_val, y_val) = moons(rng, 400), moons(rng, 1000)
    w1, b1 = rng.normal(0, 1, (2, args.width)), np.zeros(args.width)
    w2, b2 = rng.normal(0, args.width**-0.5, args.width), 0.0

    for epoch in range(1, args.epochs + 1):
        for batch in rng.permutation(len(x)).reshape(-1, 20):
            hidden = np.tanh(x[batch] @ w1 + b1)
            error = 1 / (1 + np.exp(-(hidden @ w2 + b2))) - y[batch]
            back = np.outer(error, w2) * (1 - hidden**2) / len(batch)
            w2 -= args.lr * hidden.T @ error / len(batch)
            b2 -= args.lr * error.mean()
            w1 -= args.lr * x[batch].T @ back
            b1 -= args.lr * back.sum(axis=0)
        logits = np.tanh(x_val @ w1 + b1) @ w2 + b2
        loss = np.mean(np.logaddexp(0, np.where(y_val, -logits, logits)))
        print(json.dumps({"epoch": epoch, "val_loss": round(float(loss), 4)}))


if __name__ == "__main__":
    main()
