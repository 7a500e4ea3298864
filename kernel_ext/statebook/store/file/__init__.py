"""The DuckDB file itself: one connection to it, its pages, and how it survives a torn write."""
