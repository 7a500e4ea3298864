"""The demonstration: a research session whose kernel is killed in the middle, and what it leaves to read."""

from .report import write_report

__all__ = ["write_report"]
