"""The ``openai:`` provider and its kin: the Responses API and Chat Completions, with streaming and tools."""

from .client import OpenAIModel, warm

__all__ = ["OpenAIModel", "warm"]
