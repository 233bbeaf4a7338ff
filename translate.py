"""The same as `cyclegan translate`, without installation: see --help."""

from cyclegan_tf.cli import run, translate

if __name__ == "__main__":
    run(translate)
