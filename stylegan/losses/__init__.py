"""What the networks are trained to minimise, one objective a file. No loss knows a network."""
