"""One store and one server for the tests that change neither."""

from __future__ import annotations

import pytest
from serving import Server, Store, write_steps


@pytest.fixture(scope="session")
def store(tmp_path_factory):
    """Branches main and feature/x, and a tag v1."""
    made = Store(tmp_path_factory.mktemp("store"))
    made.commit("base")
    made.run("tag", "v1")
    made.run("branch", "feature/x", "main")
    made.commit("further", branch="feature/x", turn=1)
    return made


@pytest.fixture(scope="session")
def server(store):
    """Has nothing loaded at first."""
    made = Server(store)
    yield made
    assert made.stop() == 0, made.log[-20:]


@pytest.fixture(scope="session")
def steps(tmp_path_factory):
    """A server of a model whose texts end by themselves: after a colon it writes ;<=>?"""
    made = Store(tmp_path_factory.mktemp("steps"))
    write_steps(made.checkpoint.parent / "steps")
    made.run("commit", str(made.checkpoint.parent / "steps"), "-m", "steps", "--branch", "main")
    server = Server(made, "main")
    yield server
    assert server.stop() == 0


@pytest.fixture
def own(tmp_path):
    """A store that a test may change."""
    made = Store(tmp_path)
    made.commit("base")
    return made


@pytest.fixture
def start(request):
    """Starts servers that end with the test."""
    servers = []

    def start(store, *options, files=0, **variables):
        servers.append(Server(store, *options, files=files, **variables))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()
