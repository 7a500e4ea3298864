"""The Chat Completions API: requests as its JSON, and its stream as a completion."""
