"""What the eye sees: live output, saved output, approvals; the only room that knows the browser."""
