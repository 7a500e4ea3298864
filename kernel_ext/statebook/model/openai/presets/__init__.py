"""Servers that speak OpenAI's APIs, by name: ``ollama:``, ``azure:`` and so on."""

from .known import (
    ANTHROPIC,
    AZURE,
    BEDROCK,
    GEMINI,
    LITELLM,
    LMSTUDIO,
    OLLAMA,
    OPENAI,
    OPENROUTER,
    PRESETS,
    VLLM,
)
from .preset import Preset

__all__ = [
    "ANTHROPIC",
    "AZURE",
    "BEDROCK",
    "GEMINI",
    "LITELLM",
    "LMSTUDIO",
    "OLLAMA",
    "OPENAI",
    "OPENROUTER",
    "PRESETS",
    "VLLM",
    "Preset",
]
