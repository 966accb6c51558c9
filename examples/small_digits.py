"""Run the lab beside this file on scikit-learn's digits: `python small_digits.py`.

They are 1,797 images of 8x8 pixels. It needs the extra `siffra[sklearn]`.
"""

from pathlib import Path

from sklearn.datasets import load_digits

import siffra


def main() -> None:
    """Write the report to `small-digits/`."""
    digits = siffra.dataset(load_digits(), name="small digits")
    lab = Path(__file__).with_name("small_digits.toml")
    print(siffra.run_lab(lab, data=digits, out="small-digits"))
    print("\nreport: small-digits/report.html")


if __name__ == "__main__":
    main()
