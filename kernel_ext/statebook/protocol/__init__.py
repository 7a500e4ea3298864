"""Pure values: messages, tools, approvals, events and their JSON codec; no I/O."""
