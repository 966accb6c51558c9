"""An engine that notes what it trains, a store for its runs, and a cluster of Ray's."""

import gc
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import small_lab
from small_lab import NODE, LoggingEngine

from siffra.store.store import Store, open_store

TESTS = Path(small_lab.__file__).parent


@pytest.fixture
def engine(tmp_path: Path) -> LoggingEngine:
    return LoggingEngine(tmp_path / "log")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "runs.sqlite") as opened:
        yield opened


@pytest.fixture(scope="module")
def port() -> int:
    """Where the cluster's head listens for Ray's clients."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="module")
def nodes(port: int) -> Iterator[Any]:
    """A head that makes no runs, and two nodes of one CPU."""
    from ray.cluster_utils import Cluster as Nodes

    small = {**NODE, "include_dashboard": False}
    with pytest.MonkeyPatch.context() as patch:
        # Workers have what the nodes had when they began.
        patch.setenv("PYTHONPATH", os.pathsep.join([str(TESTS), *sys.path]))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # Ray's head forks a server for each client, in which gRPC's handlers of forks may crash.
        patch.setenv("GRPC_ENABLE_FORK_SUPPORT", "0")
        head = {"num_cpus": 0, "ray_client_server_port": port, **small}
        cluster: Any = Nodes(initialize_head=True, head_node_args=head)
        try:
            for _ in range(2):
                cluster.add_node(num_cpus=1, **small)
            cluster.wait_for_nodes()
            patch.setenv("RAY_ADDRESS", cluster.address)
            yield cluster
        finally:
            cluster.shutdown()
            gc.collect()  # while what that finds open is Ray's to answer for
