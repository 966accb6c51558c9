"""The libraries that are compared: one file each, imported only where it is to run."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec

from benchmarks.peers.base import Peer


@dataclass(frozen=True, slots=True)
class PeerInfo:
    """A peer before it is imported. `packages` must be installed for it to run."""

    name: str
    title: str
    packages: tuple[str, ...]
    module: str
    extra: bool = False

    @property
    def missing(self) -> list[str]:
        """The packages that are not installed."""
        return [package for package in self.packages if find_spec(package) is None]

    @property
    def versions(self) -> dict[str, str]:
        """The packages' versions."""
        distributions = packages_distributions()
        names = {package: distributions.get(package, [package])[0] for package in self.packages}
        return {package: version(name) for package, name in names.items()}

    def load(self) -> type[Peer]:
        """The peer's class; imports its library."""
        return import_module(f"benchmarks.peers.{self.module}").PEER


PEERS: Mapping[str, PeerInfo] = {
    info.name: info
    for info in (
        PeerInfo("siffra", "siffra", ("siffra",), "siffra_native"),
        PeerInfo("keras", "Keras", ("keras", "tensorflow"), "keras_fit"),
        PeerInfo("keras-tuned", "Keras, tuned", ("keras", "tensorflow"), "keras_tuned"),
        PeerInfo("pytorch", "PyTorch", ("torch",), "pytorch"),
        PeerInfo("torch-compile", "torch.compile", ("torch",), "pytorch_compiled", extra=True),
        PeerInfo("jax", "JAX", ("jax",), "jax_scan"),
        PeerInfo("scikit-learn", "scikit-learn", ("sklearn",), "scikit_learn"),
        PeerInfo("products", "bare products", ("numpy",), "products"),
    )
}
"""By name, in the order in which they take turns. An `extra` one runs only when it is named."""
