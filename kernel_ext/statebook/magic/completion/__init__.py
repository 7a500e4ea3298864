"""What Tab offers on %agent and %%agent lines and in the prompt below them."""
