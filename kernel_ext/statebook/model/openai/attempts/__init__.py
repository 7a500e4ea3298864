"""How a request is put to a server, what is learned from its refusals, and the reading of its answer."""
