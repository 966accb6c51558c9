"""Write the wines that scikit-learn brings as a table: `python make_wine.py` makes `wine.csv`.

178 wines of three cultivars, 13 measurements of each. It takes `pip install 'siffra[sklearn]'`.
"""

from pathlib import Path

from sklearn.datasets import load_wine

CULTIVARS = ("barolo", "grignolino", "barbera")


def main() -> None:
    """Write `wine.csv` beside this file."""
    wine = load_wine()
    lines = [",".join([*wine.feature_names, "cultivar"])]
    for row, label in zip(wine.data, wine.target, strict=True):
        lines.append(",".join([*map(str, row), CULTIVARS[label]]))
    path = Path(__file__).with_name("wine.csv")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
