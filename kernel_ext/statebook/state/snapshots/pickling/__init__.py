"""Objects to bytes and back: one stream in pickle protocol 5, and the big memory beside it."""
