"""The same as `cyclegan train`, without installation: see --help."""

from cyclegan_tf.cli import run

if __name__ == "__main__":
    run("train")
