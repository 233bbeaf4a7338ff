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
from cyclegan_tf.exporting.subject import Subject
from cyclegan_tf.inference.exported import EXTRAS
from cyclegan_tf.runs.directory import Recorded, write_config
from cyclegan_tf.runs.generators import save_generators

USE = """
## Use it

    cyclegan translate --model {address} in.jpg out.png

That reads `config.json` and `model/`, and runs no code from here. What lies in
`savedmodel/` is a program, as any SavedModel: load it where you trust who made it.
"""


def publish(address: str, exports: dict[str, pathlib.Path], subject: Subject) -> str:
    """Uploads exports, by the folders that they get, and the generators of a subject.

    Returns where it can be seen; `InputError` if it cannot be uploaded.
    """
    run, trained = subject.run, subject.trained
    with tempfile.TemporaryDirectory(prefix="cyclegan-hub-") as scratch:
        folder = pathlib.Path(scratch)
        for name, directory in exports.items():
            shutil.copytree(directory, folder / name)
        # The card of the first, with its pictures, is that of the repository.
        first = next(iter(exports.values()))
        (card,) = [*first.glob(CARD), *first.glob(f"{EXTRAS}/{CARD}")]
        text = card.read_text(encoding="utf-8") + USE.format(address=address)
        (folder / "README.md").write_text(text, encoding="utf-8")
        for picture in card.parent.glob("sample-*.png"):
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
