"""Public aids for testing agents: a model whose answers are written down beforehand, and a session to run it in."""

from statebook.protocol.approvals import Answer

from .scripted import ScriptedModel, Step, call, fail, hang, say
from .session import TemporarySession

__all__ = ["Answer", "ScriptedModel", "Step", "TemporarySession", "call", "fail", "hang", "say"]
