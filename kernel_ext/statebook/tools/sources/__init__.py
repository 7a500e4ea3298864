"""The corpus an agent may cite: folders of documents, indexed by content, searched by words, cited by passage."""
