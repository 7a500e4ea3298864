"""Typed Python functions as tools."""

from .decorator import FunctionTool, tool

__all__ = ["FunctionTool", "tool"]
