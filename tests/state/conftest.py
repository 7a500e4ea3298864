"""A real IPython shell in this process, with a namespace over it."""

import asyncio

import pytest
from IPython.core.interactiveshell import InteractiveShell
from statebook.state.namespace import Namespace


@pytest.fixture(scope="session")
def _shell():
    shell = InteractiveShell.instance()
    shell.history_manager.enabled = False
    yield shell
    InteractiveShell.clear_instance()


@pytest.fixture
def shell(_shell):
    _shell.reset(new_session=False)
    return _shell


@pytest.fixture
def namespace(shell):
    return Namespace(shell)


@pytest.fixture
def run(namespace):
    """Runs code as in an async cell: the loop is the main thread's."""
    return lambda code: asyncio.run(namespace.run(code))
