"""Every exception that pyipu raises on purpose; the message is one sentence that says what is wrong and what to do."""


class Error(Exception):
    """The base of all of pyipu's exceptions."""


class ModelError(Error):
    """The file is no ONNX model, or its graph is broken."""


class UnsupportedError(Error):
    """The model needs operators, types or attributes that pyipu does not have; the message lists all of them."""


class ShapeError(Error):
    """A dimension is not known at compile time, or a shape given by `shapes=` does not fit the model."""


class InputError(Error):
    """A call got the wrong number of inputs, or one with the wrong name, shape or dtype."""


class OutputError(Error):
    """A call was given arrays to write into that do not fit the outputs in number, shape, dtype or layout."""


class TargetError(Error):
    """The target is unknown, or its device or driver is not on this machine."""


class StorageError(Error):
    """There is no such way of storing tensors, or a weight does not fit into it."""


class PrecisionError(Error):
    """There is no such precision, or the target's processor cannot compute in it."""


class TuningError(Error):
    """The target cannot be tuned on this machine, or a file of what was learned is damaged."""


class VersionError(Error):
    """An installed package is not the version that this pyipu was tested with."""


class VerificationError(Error):
    """A piece of `ipu` IR breaks a rule of the dialect."""


class PipelineError(Error):
    """A pass pipeline cannot be parsed, or names an unknown pass or option."""


class CompilationError(Error):
    """IREE rejected what pyipu emitted; this is a bug in pyipu, and the message says where to find the IR."""


class ExecutionError(Error):
    """The device failed while it loaded or ran a model that was compiled well, for example for lack of memory."""


class MemoryBudgetError(Error):
    """No plan keeps the memory budget; the message names the smallest budget that one does."""


class PlanError(Error):
    """A memory plan is not valid; this is a bug in pyipu."""
