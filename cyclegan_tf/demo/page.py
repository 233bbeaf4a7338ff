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
from cyclegan_tf.data.images import KINDS, UnreadableImage, read, read_file
from cyclegan_tf.data.picture import Picture
from cyclegan_tf.demo.answers import Example, answer, examples
from cyclegan_tf.inference.translator import Translator, load_all

TITLES = {"a_to_b": "A to B", "b_to_a": "B to A"}
BOTH = "both"
# Uploads and results that are older are removed, looked for as often.
KEPT_SECONDS = 3600
# Fonts of the reader's own machine, not of a server of fonts.
FONTS = ["system-ui", "sans-serif"]


def serve(config: DemoConfig) -> None:
    """Shows the page of a model until interrupted; `InputError` if there is none."""
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
    """Gradio's `Blocks` of a model and examples; translations go to the folder."""
    import gradio

    def pick(event: gradio.SelectData):
        direction = samples[event.index].direction
        return (None, event.index, direction), None, direction

    with gradio.Blocks(
        title=f"{name} – cyclegan_tf",
        analytics_enabled=False,
        delete_cache=(KEPT_SECONDS, KEPT_SECONDS),
    ) as page:
        gradio.Markdown(f"# {markdown(name)}")
        # The file, or the number of the example, and the direction.
        asked = gradio.State(None)
        with gradio.Row():
            with gradio.Column(scale=1, min_width=280):
                file, direction, gallery = _controls(gradio, translators, samples)
            with gradio.Column(scale=2):
                gradio.render(asked, triggers=[asked.change], concurrency_limit=1)(
                    functools.partial(_show, gradio, translators, samples, folder)
                )
        file.upload(lambda x, way: (x, None, way), [file, direction], asked)
        gallery.select(pick, None, [asked, file, direction])
        direction.input(
            lambda way, asked: asked and (*asked[:2], way), [direction, asked], asked
        )
    return page


def _show(gradio, translators, samples, folder, asked):
    """Shows the translations of what is asked for, or why there are none."""
    if asked is None:
        return
    file, picked, direction = asked
    directions = list(translators) if direction == BOTH else [direction]
    # Gradio serves copies, and has made those of the last call.
    newest = folder / "newest"
    shutil.rmtree(newest, ignore_errors=True)
    newest.mkdir()
    try:
        if picked is not None:
            picture, name = Picture(samples[picked].pixels), f"example-{picked + 1}.png"
        else:
            source = translators[directions[0]].source
            picture, name = read(read_file(file), source), pathlib.Path(file).name
        answers = [answer(picture, x, translators, newest, name) for x in directions]
    except (UnreadableImage, ValueError) as error:
        problem = "This picture cannot be translated"
        gradio.Textbox(str(error), label=problem, elem_id="problem")
        return
    if picture.note:
        gradio.Markdown(markdown(picture.note))
    for direction, (before, after, cycled, file) in zip(
        directions, answers, strict=True
    ):
        there = TITLES[direction]
        with gradio.Row():
            for what, title, image in (
                ("translated", f"translated, {there}", after),
                ("cycled", f"round trip, {there} and back", cycled),
            ):
                if image is not None:
                    gradio.ImageSlider(
                        (before, image),
                        label=f"Real and {title}",
                        elem_id=f"{direction}-{what}",
                        format="png",
                        interactive=False,
                        buttons=["fullscreen"],
                    )
        gradio.DownloadButton(
            f"Download the translation, {there}",
            value=str(file),
            elem_id=f"{direction}-download",
        )


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
