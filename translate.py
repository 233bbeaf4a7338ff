"""The same as `cyclegan translate`, without installation: see --help."""

from cyclegan_tf.cli import run

if __name__ == "__main__":
    run("translate")
