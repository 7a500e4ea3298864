"""One %%agent cell: the loop, durable steps, recovery, limits, cancellation."""
