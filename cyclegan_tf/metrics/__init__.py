"""Scores: pure maths on NumPy arrays, float64 where digits could be lost."""
