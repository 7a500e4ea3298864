"""A session's answer as a report to read, in Markdown and HTML."""

from .compose import write_report

__all__ = ["write_report"]
