"""The page of `cyclegan demo`, with Gradio. Nothing leaves the machine it runs on."""

import functools
import os
import pathlib
import shutil
import signal
import tempfile

from cyclegan_tf.common.console import markdown, show
from cyclegan_tf.common.hub import local_copy
from cyclegan_tf.config import DemoConfig
from cyclegan_tf.data.arrays import MAX_BYTES
from cyclegan_tf.data.images import KINDS, UnreadableImage, pixels_of, read_file
from cyclegan_tf.demo.answers import Example, answer, examples
from cyclegan_tf.inference.translator import Translator, load_all

TITLES = {"a_to_b": "A to B", "b_to_a": "B to A"}
BOTH = "both"
# Uploads and results that are older are removed, looked for as often.
KEPT_SECONDS = 3600
# Fonts of the reader's own machine, not of a server of fonts.
FONTS = ["system-ui", "sans-serif"]


def serve(config: DemoConfig) -> None:
    """Shows the page of a model until the process is interrupted.

    Raises:
        InputError: there is no such model.
    """
    with tempfile.TemporaryDirectory(prefix="cyclegan-demo-") as folder:
        # Read when Gradio is imported: it would tell its makers of every start.
        os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
        os.environ["GRADIO_TEMP_DIR"] = folder  # of uploads
        import gradio

        with local_copy(config.model) as path:
            translators = load_all(path, config.checkpoint, weights=config.weights)
            samples = examples(path, list(translators))
        page = build(path.name, translators, samples, pathlib.Path(folder))
        _, address, _ = page.launch(
            server_name=config.host,
            server_port=config.port,
            share=False,  # would send the page through a server of Gradio's makers
            quiet=True,
            prevent_thread_lock=True,
            max_file_size=MAX_BYTES,
            theme=gradio.themes.Default(font=FONTS, font_mono=["monospace"]),
            footer_links=[],
            ssr_mode=False,
        )
        show(f"{address} shows {config.model}; Ctrl-C ends it")
        # Then, too, the folder of uploads is removed.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        page.block_thread()


def build(
    name: str,
    translators: dict[str, Translator],
    samples: list[Example],
    folder: pathlib.Path,
):
    """The page of a model with some examples, as Gradio's `Blocks`.

    Translations are written to the folder.
    """
    import gradio

    def pick(event: gradio.SelectData):
        return event.index, None, samples[event.index].direction

    with gradio.Blocks(
        title=f"{name} – cyclegan_tf",
        analytics_enabled=False,
        delete_cache=(KEPT_SECONDS, KEPT_SECONDS),
    ) as page:
        gradio.Markdown(f"# {markdown(name)}")
        picked = gradio.State(None)
        with gradio.Row():
            with gradio.Column(scale=1, min_width=280):
                file, direction, gallery = _controls(gradio, translators, samples)
            with gradio.Column(scale=2):
                outputs = [
                    gradio.Textbox(
                        label="This picture cannot be translated",
                        elem_id="problem",
                        visible=False,
                    )
                ]
                for each in translators:
                    outputs += _outputs(gradio, each)
        update = functools.partial(_update, gradio, translators, samples, folder)
        run = {"fn": update, "inputs": [file, picked, direction], "outputs": outputs}
        run |= {"concurrency_id": "translate", "concurrency_limit": 1}
        file.upload(lambda: None, None, picked).success(**run)
        gallery.select(pick, None, [picked, file, direction]).success(**run)
        direction.input(**run)
    return page


def _update(gradio, translators, samples, folder, file, picked, direction):
    """New values of the outputs, for an upload or the number of an example."""
    # Gradio serves copies, and has made those of the last call.
    newest = folder / "newest"
    shutil.rmtree(newest, ignore_errors=True)
    newest.mkdir()
    answers, problem = {}, ""
    wanted = list(translators) if direction == BOTH else [direction]
    try:
        if file or picked is not None:
            source = translators[wanted[0]].source
            pixels, name = _chosen(file, picked, samples, source)
            answers = {
                each: answer(pixels, each, translators, newest, name) for each in wanted
            }
    except (UnreadableImage, ValueError) as error:
        problem = str(error)
    updates = [gradio.update(value=problem, visible=bool(problem))]
    for each in translators:
        updates += _updates(gradio, answers.get(each))
    return updates


def _chosen(file, picked, samples, source):
    """The pixels of an upload, or of an example, and a name for what becomes of it."""
    if picked is not None:
        return samples[picked].pixels, f"example-{picked + 1}"
    return pixels_of(read_file(file), source), pathlib.Path(file).stem


def _controls(gradio, translators, samples):
    """What is given: a picture, a direction, or an example."""
    directions = {TITLES[direction]: direction for direction in translators}
    forms = {(t.source.channels, t.source.dtype) for t in translators.values()}
    # A picture of one domain is none of the other where these have other forms.
    if len(forms) < len(directions):
        directions["Both"] = BOTH
    file = gradio.File(label=f"A picture: {KINDS}", elem_id="picture")
    direction = gradio.Radio(
        list(directions.items()),
        value=next(iter(translators)),
        label="Direction",
        elem_id="direction",
    )
    if samples:
        gradio.Markdown("Or one of the run's own:")
    gallery = gradio.Gallery(
        [(sample.shown, TITLES[sample.direction][0]) for sample in samples],
        elem_id="examples",
        show_label=False,
        columns=3,
        height="max-content",
        allow_preview=False,
        format="png",
        buttons=[],
        interactive=False,
        visible=bool(samples),
    )
    return file, direction, gallery


def _outputs(gradio, direction):
    """What is shown of a direction, nothing at first."""
    there = TITLES[direction]
    with gradio.Column(visible=False, elem_id=direction) as group:
        with gradio.Row():
            sliders = [
                gradio.ImageSlider(
                    label=label,
                    elem_id=f"{direction}-{what}",
                    format="png",
                    interactive=False,
                    buttons=["fullscreen"],
                )
                for what, label in (
                    ("translated", f"Real and translated, {there}"),
                    ("cycled", f"Real and round trip, {there} and back"),
                )
            ]
        download = gradio.DownloadButton(
            f"Download the translation, {there}", elem_id=f"{direction}-download"
        )
    return [group, *sliders, download]


def _updates(gradio, answered):
    """The values of `_outputs` for an answer, or none."""
    if answered is None:
        return [gradio.update(visible=False), *[gradio.update(value=None)] * 3]
    before, after, cycled, file = answered
    return [
        gradio.update(visible=True),
        gradio.update(value=(before, after)),
        gradio.update(
            value=None if cycled is None else (before, cycled),
            visible=cycled is not None,
        ),
        gradio.update(value=str(file)),
    ]
