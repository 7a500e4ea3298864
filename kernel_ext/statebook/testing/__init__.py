"""Public aids for testing agents: scripted models, a session to run them in, a check for models."""

from statebook.protocol.approvals import Answer

from .conformance import check_model
from .scripted import ScriptedModel, Step, call, fail, hang, say
from .session import TemporarySession

__all__ = ["Answer", "ScriptedModel", "Step", "TemporarySession", "call", "check_model", "fail", "hang", "say"]
