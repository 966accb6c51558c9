"""The libraries that are compared: one file each, imported only where it is to run."""

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
    def versions(self) -> str:
        """The packages with their versions, as in `keras 3.15.1`."""
        distributions = packages_distributions()
        names = {package: distributions.get(package, [package])[0] for package in self.packages}
        return ", ".join(f"{package} {version(name)}" for package, name in names.items())

    def load(self) -> type[Peer]:
        """The peer's class; imports its library."""
        return import_module(f"benchmarks.peers.{self.module}").PEER


PEERS = {
    info.name: info
    for info in (
        PeerInfo("siffra", "siffra", ("siffra",), "siffra_native"),
        PeerInfo("keras", "Keras", ("keras", "tensorflow"), "keras_fit"),
        PeerInfo("pytorch", "PyTorch", ("torch",), "pytorch"),
        PeerInfo("torch-compile", "torch.compile", ("torch",), "pytorch_compiled", extra=True),
        PeerInfo("jax", "JAX", ("jax",), "jax_scan"),
        PeerInfo("products", "bare products", ("numpy",), "products"),
    )
}
"""By name, in the order in which they take turns. An `extra` one runs only when it is named."""
