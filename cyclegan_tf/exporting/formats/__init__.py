"""What writes each format of `config.formats`, by its name."""

from cyclegan_tf.exporting.formats import litert, onnx, saved_model

WRITERS = {"savedmodel": saved_model.write, "onnx": onnx.write, "litert": litert.write}
