"""Weights of the authors' PyTorch program, one way and the other."""
