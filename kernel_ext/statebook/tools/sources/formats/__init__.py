"""One module per kind of document: bytes in, `Extracted` text with its places out."""
