"""What the networks are trained to minimize, one objective a file. No loss knows a network."""
