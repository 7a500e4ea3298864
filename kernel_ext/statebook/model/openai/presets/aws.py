"""Signs requests to Amazon Bedrock with this machine's AWS credentials, where no bearer token is set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from statebook.errors import ModelError

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_HINT = (
    "Set AWS_BEARER_TOKEN_BEDROCK before Jupyter starts, or configure AWS credentials and"
    " `pip install 'openai[bedrock]'`, which signs with them."
)


def signed(openai: Any, options: dict[str, Any]) -> AsyncOpenAI:
    """The SDK's client with its Bedrock provider: AWS Signature Version 4. Raises ModelError without credentials."""
    from openai.providers import bedrock

    rest = {name: value for name, value in options.items() if name not in ("api_key", "base_url")}
    try:
        provider = bedrock(base_url=options["base_url"], api_key=None)
        made: AsyncOpenAI = openai.AsyncOpenAI(provider=provider, **rest)
    except Exception as error:  # botocore, which may not be installed, has errors of its own
        raise ModelError(f"Amazon Bedrock has no credentials: {_first(error)}.", _HINT, fault="no_key") from error
    return made


def _first(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].partition(". ")[0].rstrip(".") or type(error).__name__
