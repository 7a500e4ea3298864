"""The offline model's answers in other forms than Markdown."""
