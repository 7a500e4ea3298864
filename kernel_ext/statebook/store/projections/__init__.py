"""What the journal says, kept in memory and fed by each commit: as of a head, and of all runs."""
