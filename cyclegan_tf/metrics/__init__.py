"""Scores: pure maths on NumPy arrays, float64 where digits could be lost.

wasserstein        SWD: texture, needs no trained network
feature_distances  FID and KID, on features of any network
similarity         MAE, PSNR and SSIM of pairs
coats              scores where masks say what was to change
"""
