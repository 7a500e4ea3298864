"""Loads DuckDB ahead of its first use, for a process that is about to fork."""


def warm_up() -> None:
    """Import DuckDB. Nothing is opened, so that a fork inherits no lock and no thread."""
    import duckdb  # noqa: F401 - loading it is the point
