"""What %agent subcommands give back: tables, lists and charts that read well without a kernel."""
