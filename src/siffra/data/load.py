"""From files, or from what is in memory, to a checked `Dataset` with its shifted test sets."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from siffra.data.archives import read_archive
from siffra.data.axes import with_channels_last
from siffra.data.checks import as_read, compare_grounds, compare_scales, find_duplicates
from siffra.data.columns import column_notes
from siffra.data.dataset import Dataset, Images, fingerprint
from siffra.data.folders import picture_folders, read_pictures
from siffra.data.idx import idx_files, read_idx
from siffra.data.labels import label_notes
from siffra.data.notes import named, note
from siffra.data.shifted import SHIFTED, SHIFTS, refusal, shift
from siffra.data.splits import Parts, name_of, ranges, scaled, with_all_sets
from siffra.data.tables import read_tables, table_files
from siffra.errors import ConfigError, DataError, did_you_mean

MNIST = Path(__file__).with_name("mnist.npz")
MNIST_SHA256 = "06af5dfe73b70e3bc1c36439982b18a8d76803db9b544f6fdf838a37fbb01b64"

_ADDED = {"label", "image", "test", *SHIFTED} - {"moved", "rotated"}
_Side = Annotated[int, Field(ge=1)]


class DataSource(BaseModel):
    """Which data set, and how it is parted and shifted.

    `path` is a file or folder of one of the kinds in docs/data.md; None is the MNIST that
    siffra brings. `label` is the column of labels in a CSV or Parquet file, and `image` the
    shape of the images that its rows are, if they are: (height, width), or with channels.

    The fields that are called as the shifted sets are say how strong each set's shift is, see
    `siffra.data.shifted.shift`; one that is None is not made. `moved` and `rotated` are
    made of images unless they are None: with images of 10 pixels or less, as many pixels of
    them as 10 are of MNIST's 28 are moved at most if nothing else is said.

    `validation` is the share of the training images that is held out; data that has validation
    images of its own keeps those. `test` is the share taken for testing from data that has no
    part for it. Both, and the shifts, are drawn by `seed`. With `split = "seed"` each run's seed
    draws another split of training and validation images.

    Ranges are checked by `load_dataset`, which knows the images.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    path: Annotated[Path | None, Field(strict=False)] = None
    moved: float | None = 10.0
    rotated: float | None = 36.0
    seed: Annotated[int, Field(ge=0)] = 0
    validation: float = 0.2
    split: Literal["fixed", "seed"] = "fixed"
    test: float = 0.2
    label: str | None = None
    image: Annotated[tuple[_Side, ...] | None, Field(strict=False, min_length=2, max_length=3)] = (
        None
    )
    scaled: float | None = None
    noisy: float | None = None
    blurred: float | None = None
    faded: float | None = None
    occluded: float | None = None

    @property
    def shifts(self) -> dict[str, float]:
        """How strong each shift is that is made, by its key in a lab file's `[shifts]`."""
        strengths = {key: getattr(self, shift.name) for key, shift in SHIFTS.items()}
        return {key: strength for key, strength in strengths.items() if strength is not None}

    def with_shifts(self, shifts: Mapping[str, float | None]) -> Self:
        """The same with these shifts and no others.

        Raises:
            ConfigError: There is no such shift.
            ValidationError: A strength is no number.
        """
        for key in shifts:
            if key not in SHIFTS:
                raise ConfigError(f"shifts: found `{key}`; {did_you_mean(key, SHIFTS)}")
        values: dict[str, Any] = {name: getattr(self, name) for name in self.model_fields_set}
        values |= {shift.name: shifts.get(key) for key, shift in SHIFTS.items()}
        return type(self)(**values)

    @model_serializer(mode="wrap")
    def _serialized(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """As ever where nothing newer is made use of: kept labs are named by what they say."""
        usual = DataSource.model_fields
        return {
            name: value
            for name, value in serialize(self).items()
            if name not in _ADDED or getattr(self, name) != usual[name].default
        }


def load_dataset(source: DataSource | None = None) -> Dataset:
    """Read, check, split and shift a data set; without `source`, MNIST as siffra brings it.

    Raises:
        DataError: The data cannot be read, or what it holds makes no data set.
    """
    source = source or DataSource()
    if source.path:
        _expect_text(source.path)
    path = source.path or MNIST
    name = "mnist" if source.path is None else name_of(path)
    return made(_read(path, source.label, source.image), source, name)


def _expect_text(path: Path) -> None:
    """Refuse a name that records, kept labs and reports could not hold."""
    try:
        str(path.absolute()).encode()
    except UnicodeEncodeError:
        raise DataError(
            f"{path}: this name is not UTF-8 text; rename the file or folder."
        ) from None


def made(parts: Parts, source: DataSource, name: str) -> Dataset:
    """A data set of what was found, parted and shifted as `source` says.

    Raises:
        DataError: It makes no data set.
    """
    parts = with_channels_last(parts)
    apart = tuple(parts.sets)
    parts = with_all_sets(parts, source.test, source.validation, source.seed)
    # With a split drawn by seed, validation examples are training examples of other seeds.
    trained = ("train",) if source.split == "fixed" else ("train", "val")
    classes = _classes(parts, trained)
    notes = [*parts.notes, *label_notes(parts.class_names)]
    notes += compare_scales(parts, apart, trained)
    low, high = (limit.reshape(-1).tolist() for limit in ranges(parts, trained))
    by_column = tuple(zip(low, high, strict=True)) if parts.features else ()
    constant = tuple(
        name for name, (least, most) in zip(parts.features, by_column, strict=True) if least == most
    )
    if constant:
        notes.append(note("constant_columns", columns=named(constant)))
    notes += column_notes(parts)
    sets = scaled(parts, trained).sets
    if not parts.features:
        notes += compare_grounds(sets, apart)
    notes += find_duplicates(sets, trained, parts.noun)
    plain = Dataset(
        name=name,
        classes=classes,
        train=sets["train"],
        val=sets["val"],
        test=sets["test"],
        shifted={},
        fingerprint="",
        split=source.split,
        class_names=parts.class_names,
        features=parts.features,
        constant=constant,
        ranges=by_column,
        as_read=as_read(parts),
        left_out=parts.left_out,
        notes=tuple(notes),
    )
    return shifted_as(plain, source, parts.where)


def shifted_as(dataset: Dataset, source: DataSource, where: str = "data") -> Dataset:
    """`dataset` with the shifted sets that `source` says, made from its test images, and no others.

    Raises:
        DataError: Its examples cannot be shifted so.
    """
    strengths = _strengths(dataset, source, where)
    shifted, drawn = _shifted_sets(dataset.test, strengths, source.seed)
    plain = {name: dataset.sets[name] for name in ("train", "val", "test")}
    return replace(
        dataset,
        shifted=shifted,
        fingerprint=fingerprint(dataset.classes, {**plain, **shifted}),
        drawn=drawn,
        strengths=strengths,
    )


def _shifted_sets(
    test: Images, strengths: Mapping[str, float], seed: int
) -> tuple[dict[str, Images], dict[str, np.ndarray]]:
    """The shifted sets made from `test`, and what was drawn for their images, by set."""
    sets: dict[str, Images] = {}
    drawn: dict[str, np.ndarray] = {}
    for name, strength in strengths.items():
        path = np.random.SeedSequence(seed, spawn_key=(SHIFTED[name].stream,))
        x, values = shift(name, test.x, strength, np.random.default_rng(path))
        sets[name] = Images(x, test.y)
        drawn |= {} if values is None else {name: values}
    return sets, drawn


def _read(path: Path, label: str | None, image: Sequence[int] | None) -> Parts:
    """What is at `path`, whichever kind it is of; an `.npz` file if nothing shows that."""
    try:
        if tables := table_files(path):
            files, notes = tables
            parts = read_tables(files, str(path), label, image)
            return replace(parts, notes=(*notes, *parts.notes))
        for key, option in (("label", label), ("image", image)):
            if option is not None:
                raise DataError(f"{path}: {key} is for CSV and Parquet files, which this is not.")
        if path.suffix == ".npz":
            return read_archive(path)
        if files := idx_files(path):
            return read_idx(files, str(path))
        if pictures := picture_folders(path):
            return read_pictures(pictures, str(path))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}.") from error
    if path.is_dir():
        raise DataError(
            f"{path}: nothing in this folder is known: it needs a folder of pictures for each "
            f"class (or such folders in train/ and test/), IDX files as MNIST's, or train.csv and "
            f"test.csv."
        )
    return read_archive(path)


def _classes(parts: Parts, trained: Sequence[str]) -> int:
    train, val, test = (parts.sets[name] for name in ("train", "val", "test"))
    noun, where = parts.noun, parts.where
    known = np.union1d(train.y, val.y)
    gaps = np.setdiff1d(np.arange(len(known)), known)
    if len(gaps) and parts.class_names:
        raise DataError(
            f"{where}: no training {noun} has class {parts.class_names[gaps[0]]}, which others "
            f"have; every class must be trained."
        )
    if len(gaps):
        raise DataError(
            f"{where}: no training {noun} has class {gaps[0]}, though classes go up to "
            f"{known[-1]}; they must be numbered 0, 1, 2, ... without a gap."
        )
    if len(known) == 1:
        only = parts.class_names[0] if parts.class_names else 0
        raise DataError(
            f"{where}: every {noun} has class {only}; there must be two classes or more."
        )
    trained_on = np.concatenate([parts.sets[name].y for name in trained])
    for what, images in (("validation", val), ("test", test)):
        unseen = np.setdiff1d(images.y, trained_on)
        if len(unseen):
            name = parts.class_names[unseen[0]] if parts.class_names else unseen[0]
            raise DataError(
                f"{where}: class {name} is among the {what} {noun}s but no training {noun} "
                f"has it; every class must be trained (are the {noun}s sorted by class?)."
            )
    return len(known)


def _strengths(dataset: Dataset, source: DataSource, where: str) -> dict[str, float]:
    """How strong each shift is that is made; rows of a table can only be noisy."""
    height, width, _ = dataset.image_shape
    asked = {name: strength for name in SHIFTED if (strength := getattr(source, name)) is not None}
    usual = {name: DataSource.model_fields[name].default for name in SHIFTED}
    if dataset.features:
        for name, strength in asked.items():
            if name != "noisy" and strength != usual[name]:
                raise DataError(
                    f"{where}: {name} = {strength}; it has rows of features, not images, and "
                    f"those can only be made noisy."
                )
        asked = {name: strength for name, strength in asked.items() if name == "noisy"}
    elif min(height, width) <= usual["moved"] == asked.get("moved"):
        asked["moved"] = round(min(height, width) * 10 / 28)
    for name, strength in asked.items():
        if problem := refusal(name, strength, (height, width)):
            raise DataError(f"{where}: {problem}")
    return asked
