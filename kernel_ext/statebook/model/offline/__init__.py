"""The ``offline:`` provider: a deterministic research assistant that needs no key and no network."""

from .model import OfflineModel, create

__all__ = ["OfflineModel", "create"]
