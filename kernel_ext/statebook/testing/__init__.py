"""Public aids for testing agents: a model whose answers are written down beforehand."""

from .scripted import ScriptedModel, Step, call, fail, hang, say

__all__ = ["ScriptedModel", "Step", "call", "fail", "hang", "say"]
