"""The %agent subcommands, grouped by what they are about."""
