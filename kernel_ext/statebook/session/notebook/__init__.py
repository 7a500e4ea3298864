"""Which notebook a kernel belongs to, and which store a notebook."""
