"""What can be set, and where it is set: one declaration, and the sources that it is read from."""

from .settings import SETTINGS, Setting, Settings, store_path

__all__ = ["SETTINGS", "Setting", "Settings", "store_path"]
