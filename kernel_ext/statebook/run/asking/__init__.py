"""One durable model step: what is sent, what was recorded, what streams in, and when to ask again."""
