"""The conversation of a session as models are shown it: looked at before it is sent, and made shorter."""
