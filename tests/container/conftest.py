"""What the container tests share: the clip, three replicas, the balancers in front of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import balancer
import podman
from load import embed, speechlike_wav


def pytest_unconfigure(config: pytest.Config) -> None:
    """The closing line that every target of this project prints."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    counts = {key: len(reporter.stats.get(key, [])) for key in ("passed", "failed", "error")}
    print(f"{counts['passed']} passed, {counts['failed'] + counts['error']} failed", flush=True)


@pytest.fixture(scope="session", autouse=True)
def scratch() -> Iterator[None]:
    """Ends whatever the tests left running; the storage holds nobody else's containers."""
    podman.podman("rm", "-f", "-a", "-t", "0")
    yield
    podman.podman("rm", "-f", "-a", "-t", "0")


@pytest.fixture(scope="session")
def clip() -> bytes:
    return speechlike_wav(1.0)


@pytest.fixture
def replica() -> Iterator[podman.Replica]:
    """One replica, running and ready."""
    one = podman.Replica("voiceprintd-one", balancer.free_port(), settings={"DRAIN_DELAY_S": "1"})
    one.create()
    one.wait_ready()
    yield one
    one.remove()


@pytest.fixture(scope="module")
def replicas() -> Iterator[list[podman.Replica]]:
    """Three replicas, running and ready. The drain delay is shortened; two failed checks fit in."""
    three = [podman.Replica(f"voiceprintd-{i}", balancer.free_port(),
                            settings={"DRAIN_DELAY_S": "2"}) for i in (1, 2, 3)]
    for one in three:
        one.create()
    for one in three:
        one.wait_ready()
    yield three
    for one in three:
        one.remove()


@pytest.fixture(scope="module")
def haproxy(replicas: list[podman.Replica]) -> Iterator[balancer.Haproxy]:
    with balancer.Haproxy(replicas) as running:
        for i in (1, 2, 3):
            running.wait_status(i, "UP")
        yield running


@pytest.fixture(scope="module")
def nginx(replicas: list[podman.Replica]) -> Iterator[balancer.Nginx]:
    with balancer.Nginx(replicas) as running:
        yield running


@pytest.fixture(scope="module")
def expected(replicas: list[podman.Replica], clip: bytes) -> bytes:
    """The embedding of the clip, which every replica must give alike."""
    answers = {embed(one.address, clip) for one in replicas}
    assert len(answers) == 1 and next(iter(answers))[0] == 200, answers
    return next(iter(answers))[1]
