"""The IPython surface: %%agent, %agent, their grammar and hooks; the only road from IPython into the session."""
