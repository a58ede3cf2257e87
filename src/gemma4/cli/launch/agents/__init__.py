"""One file for each agent: how it is told of our server, after its own documentation."""
