"""The ``openai:`` provider and its kin: the Responses API and Chat Completions, with streaming and tools."""

from .client import OpenAIModel

__all__ = ["OpenAIModel"]
