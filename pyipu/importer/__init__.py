"""Reads ONNX models into `ipu` graph IR."""

from pyipu.importer.module import Imported, import_model

__all__ = ["Imported", "import_model"]
