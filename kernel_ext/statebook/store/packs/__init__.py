"""Chunks of snapshots in append-only files beside the DuckDB file, and the rows that say where each one lies."""
