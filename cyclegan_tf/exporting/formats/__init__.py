"""The formats of export: one object each, in one list."""

from cyclegan_tf.exporting.formats import litert, onnx, saved_model

FORMATS = (saved_model.FORMAT, onnx.FORMAT, litert.FORMAT)
