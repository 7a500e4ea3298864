"""The ``openai:`` provider: the Responses API of OpenAI and of servers that speak it, with streaming and tools."""

from .client import OpenAIModel, create, warm

__all__ = ["OpenAIModel", "create", "warm"]
