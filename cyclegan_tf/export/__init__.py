"""From a run to verified model files that can leave the training machine: `export`."""

import sys
import types


class _Package(types.ModuleType):
    # `from cyclegan_tf import export` finds this package once it is imported, and so it
    # must be callable like the function of its name. Neither imports TensorFlow before.
    @property
    def export(self):
        from cyclegan_tf.export.exporter import export

        return export

    def __call__(self, config):
        return self.export(config)


sys.modules[__name__].__class__ = _Package
