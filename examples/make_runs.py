"""Writes runs.csv, a table of training runs as anybody's own script leaves one.

Three learning rates, eight seeds each, of scikit-learn's network on its own 8 x 8 digits.
`siffra judge runs.csv` says what the rates differ in.
"""

import csv
import warnings
from pathlib import Path

from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

RATES, SEEDS, EPOCHS = (0.003, 0.01, 0.05), range(8), 20


def main() -> None:
    """Train, and write a row a run."""
    warnings.simplefilter("ignore", ConvergenceWarning)  # twenty epochs are few on purpose
    x, y = load_digits(return_X_y=True)
    x_train, x_val, y_train, y_val = train_test_split(x / 16, y, random_state=0)
    with Path(__file__).with_name("runs.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["lr", "seed", "val_loss", "val_accuracy"])
        for lr in RATES:
            for seed in SEEDS:
                network = MLPClassifier(
                    64, learning_rate_init=lr, max_iter=EPOCHS, random_state=seed
                )
                network.fit(x_train, y_train)
                loss = log_loss(y_val, network.predict_proba(x_val))
                row = [lr, seed, f"{loss:.4f}", f"{network.score(x_val, y_val):.4f}"]
                writer.writerow(row)


if __name__ == "__main__":
    main()
