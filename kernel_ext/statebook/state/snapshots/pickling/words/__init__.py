"""The words that streams are written in: each rebuilds one kind of object while a stream is loaded."""
