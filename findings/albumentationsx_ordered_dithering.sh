#!/usr/bin/env bash
# AlbumentationsX 2.5.1: Dithering(method="ordered") of a float32 image has no white with more than
# 2 colours: it rounds down to multiples of 1 / n_colors, where the levels are 1 / (n_colors - 1)
# apart. Of 3 colours the brightest is 0.67, of 4 it is 0.75, and the whole image gets darker, by a
# third of its mean with 3. The same image as uint8 keeps its white, and has other levels; with the
# methods error_diffusion and random both types are right and alike. The documentation calls the
# two types supported, and n_colors the number of levels to keep.
# Output here, of a ramp from black to white, the levels that are left and the mean:
# error_diffusion, 3 colours: float32 [0.0, 0.5, 1.0] 0.5, uint8 [0.0, 0.5, 1.0] 0.5
# error_diffusion, 4 colours: float32 [0.0, 0.33, 0.67, 1.0] 0.5, uint8 [0.0, 0.33, 0.67, 1.0] 0.5
# random, 3 colours: float32 [0.0, 0.5, 1.0] 0.5, uint8 [0.0, 0.5, 1.0] 0.5
# random, 4 colours: float32 [0.0, 0.33, 0.67, 1.0] 0.5, uint8 [0.0, 0.33, 0.67, 1.0] 0.5
# ordered, 3 colours: float32 [0.0, 0.33, 0.67] 0.33, uint8 [0.0, 0.5, 1.0] 0.48
# ordered, 4 colours: float32 [0.0, 0.25, 0.5, 0.75] 0.37, uint8 [0.0, 0.33, 0.67, 1.0] 0.49
set -euo pipefail
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/env"
"$scratch/env/bin/pip" install -q albumentationsx==2.5.1 opencv-python-headless==5.0.0.93 \
    torch==2.13.0 numpy==2.4.6
"$scratch/env/bin/python" -W ignore - <<'PYTHON'
import albumentations
import numpy as np

ramp = np.tile(np.linspace(0, 1, 256, dtype="float32"), (64, 1))[..., None]
levels, means = {}, {}
for method in ("error_diffusion", "random", "ordered"):
    for colors in (3, 4):
        said = []
        for kind in ("float32", "uint8"):
            dither = albumentations.Dithering(
                method=method, n_colors=colors, noise_range=(-0.1, 0.1), p=1
            )
            image = ramp if kind == "float32" else np.rint(ramp * 255).astype("uint8")
            compose = albumentations.Compose([dither], seed=0, telemetry=False)
            after = compose(image=image)["image"]
            assert after.dtype == kind
            after = after / (1 if kind == "float32" else 255)
            key = method, colors, kind
            levels[key] = [round(float(value), 2) for value in np.unique(after)]
            means[key] = round(float(after.mean()), 2)
            said.append(f"{kind} {levels[key]} {means[key]}")
        print(f"{method}, {colors} colours: {', '.join(said)}")
for (method, colors, kind), found in levels.items():
    if (method, kind) == ("ordered", "float32"):
        assert found == [round(number / colors, 2) for number in range(colors)]
    else:
        assert found == [round(number / (colors - 1), 2) for number in range(colors)]
assert means["ordered", 3, "float32"] == 0.33 and means["ordered", 4, "float32"] == 0.37
assert {mean for (method, *_), mean in means.items() if method != "ordered"} == {0.5}
PYTHON
