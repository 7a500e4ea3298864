"""What the model sees: system text, conversation, attachments and memory, cut to a budget in a byte-stable order."""
