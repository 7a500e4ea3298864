"""The servers that are known by name; each is an entry point of the group ``statebook.models``."""

from __future__ import annotations

from statebook.model.openai.settings import OFFICIAL

from .addresses import azure, bedrock, ollama
from .aws import signed
from .preset import Preset

OPENAI = Preset("openai", "OpenAI", OFFICIAL, ("OPENAI_BASE_URL",), ("OPENAI_API_KEY",), complete=str.strip)
AZURE = Preset(
    "azure",
    "Azure OpenAI",
    "",
    ("AZURE_OPENAI_ENDPOINT",),
    ("AZURE_OPENAI_API_KEY",),
    complete=azure,
    to_set="AZURE_OPENAI_ENDPOINT and AZURE_OPENAI_API_KEY",
)
BEDROCK = Preset(
    "bedrock",
    "Amazon Bedrock",
    "",
    ("AWS_BEDROCK_BASE_URL", "AWS_REGION", "AWS_DEFAULT_REGION"),
    ("AWS_BEARER_TOKEN_BEDROCK",),
    complete=bedrock,
    to_set="AWS_REGION and AWS_BEARER_TOKEN_BEDROCK",
    connect=signed,
)
OLLAMA = Preset(
    "ollama",
    "Ollama",
    "http://127.0.0.1:11434/v1",
    ("OLLAMA_HOST",),
    ("OLLAMA_API_KEY",),
    dialect="chat",
    complete=ollama,
    wants_key=False,
    free_here=True,
)
LMSTUDIO = Preset(
    "lmstudio",
    "LM Studio",
    "http://127.0.0.1:1234/v1",
    ("LMSTUDIO_BASE_URL",),
    ("LM_API_TOKEN",),
    dialect="chat",
    wants_key=False,
    free_here=True,
)
VLLM = Preset(
    "vllm", "vLLM", "http://127.0.0.1:8000/v1", ("VLLM_BASE_URL",), ("VLLM_API_KEY",), dialect="chat", wants_key=False
)
LITELLM = Preset(
    "litellm",
    "LiteLLM",
    "http://127.0.0.1:4000/v1",
    ("LITELLM_BASE_URL",),
    ("LITELLM_API_KEY",),
    dialect="chat",
    wants_key=False,
)
OPENROUTER = Preset(
    "openrouter",
    "OpenRouter",
    "https://openrouter.ai/api/v1",
    ("OPENROUTER_BASE_URL",),
    ("OPENROUTER_API_KEY",),
    dialect="chat",
    headers={"X-Title": "statebook"},
)
ANTHROPIC = Preset(
    "anthropic",
    "Anthropic",
    "https://api.anthropic.com/v1",
    ("ANTHROPIC_BASE_URL",),
    ("ANTHROPIC_API_KEY",),
    dialect="chat",
    headers={"anthropic-version": "2023-06-01"},
    list_key="x-api-key",
)
GEMINI = Preset(
    "gemini",
    "Gemini",
    "https://generativelanguage.googleapis.com/v1beta/openai",
    ("GEMINI_BASE_URL",),
    ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    dialect="chat",
)

PRESETS = (OPENAI, AZURE, BEDROCK, ANTHROPIC, GEMINI, OPENROUTER, OLLAMA, LMSTUDIO, VLLM, LITELLM)
