"""An export as a repository of the Hugging Face Hub.

README.md                       the model card
config.json, model/, samples/   a run, which is what `--model hf://user/name` reads
savedmodel/1/, onnx/, litert/   what was exported
"""

import dataclasses
import pathlib
import shutil
import tempfile

import cyclegan_tf
from cyclegan_tf.common import hub
from cyclegan_tf.config import Nature, TrainConfig, names_of
from cyclegan_tf.exporting.model_card import CARD, newest_samples
from cyclegan_tf.runs.directory import Recorded, write_config
from cyclegan_tf.runs.generators import Trained, save_generators
from cyclegan_tf.runs.run_dir import RunDir

USE = """
## Use it

    cyclegan translate --model {address} in.jpg out.png

That reads `config.json` and `model/`, and runs no code from here. What lies in
`savedmodel/` is a program, as any SavedModel: load it where you trust who made it.
"""


def publish(
    address: str,
    exports: dict[str, tuple[pathlib.Path, pathlib.Path]],
    run: RunDir,
    trained: Trained,
) -> str:
    """Uploads exports, and the generators that they are of.

    Args:
        address: `hf://user/name`.
        exports: by the name of the folder that they get, the directory of a version and
            that of its model card.
        run: that they are of.
        trained: its generators, their step and weights.

    Returns:
        Where it can be seen.

    Raises:
        InputError: it cannot be uploaded.
    """
    with tempfile.TemporaryDirectory(prefix="cyclegan-hub-") as scratch:
        folder = pathlib.Path(scratch)
        for name, (directory, _) in exports.items():
            shutil.copytree(directory, folder / name)
        (_, extras), *_ = exports.values()
        card = (extras / CARD).read_text(encoding="utf-8")
        (folder / "README.md").write_text(
            card + USE.format(address=address), encoding="utf-8"
        )
        for picture in extras.glob("sample-*.png"):
            shutil.copy(picture, folder)
        form = run.fingerprint, run.domains, run.onednn
        write_config(folder, Recorded(_without_places(run.options), *form))
        about = {"dataset": run.options.dataset_name, "step": trained.step}
        generators = trained.generators
        averages = generators if trained.weights == "average" else None
        save_generators(folder, {} if averages else generators, about, averages)
        (folder / "samples").mkdir()
        for sample in newest_samples(run.path / "samples"):
            shutil.copy(sample, folder / "samples")
        version = cyclegan_tf.__version__
        return hub.upload(folder, address, f"Export of cyclegan_tf {version}")


def _without_places(options: TrainConfig) -> TrainConfig:
    """Options as others may see them: no path of this machine."""
    defaults = {field.name: field.default for field in dataclasses.fields(options)}
    names = names_of(options, Nature.PLACE, Nature.SOURCE)
    changes = {name: defaults[name] for name in names}
    return dataclasses.replace(options, **changes | {"dataset": options.dataset_name})
