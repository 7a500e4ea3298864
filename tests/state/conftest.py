"""A real IPython shell in this process, with a namespace over it."""

import asyncio

import pytest
from statebook.state.namespace import Namespace


@pytest.fixture
def shell(ipython):
    return ipython


@pytest.fixture
def namespace(shell):
    return Namespace(shell)


@pytest.fixture
def run(namespace):
    """Runs code as in an async cell: the loop is the main thread's."""
    return lambda code: asyncio.run(namespace.run(code))
