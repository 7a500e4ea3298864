"""statebook: a stateful agent in every notebook, its memory in one DuckDB file beside it."""

from __future__ import annotations

__version__ = "0.1.0"
