"""The DuckDB file: journal, branches, checkpoints, memory, artifacts; the only room that speaks to the store."""
