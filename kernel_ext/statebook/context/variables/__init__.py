"""A variable as a model can use it: what it is, its shape and some of its content, in bounded length."""

from .describe import describe
from .summary import LARGEST, Picture, Summary

__all__ = ["LARGEST", "Picture", "Summary", "describe"]
