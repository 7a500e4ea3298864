"""From passages to cited sentences, in pure Python: splitting, ranking, choosing, and finding what contradicts."""
