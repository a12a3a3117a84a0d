"""What the model tools share: the network, its files, its features."""
