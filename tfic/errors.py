"""The exceptions of tfic, sweep and analysis that a caller may want to tell apart.

    TficError
    ├── BitstreamError (ValueError)         tfic.codec.bitstream      a .tfic file that cannot be decoded
    ├── FileWriteError (OSError)            tfic.system.files         a file cannot be written
    ├── ImageUnsuitedError (ValueError)     tfic.errors               an image that a coder or a reader cannot take
    ├── NoGpuError (OSError)                tfic.system.devices       a training was given a GPU that cannot be used
    ├── ReaderMissingError (ValueError)     tfic.errors               a reader that is not installed, or cannot read
    ├── TesseractFailedError (RuntimeError) tfic.ocr.tesseract        Tesseract could not do what it was asked for
    ├── WorkerFailedError (RuntimeError)    tfic.training.distributed another worker of the same training failed
    ├── StoreUnreachableError (ValueError)  tfic.system.store_uri     no answer at the address of a tracking store
    ├── StoreAwayError (ConnectionError)    sweep.store.retry         a tracking store was away for too long
    ├── StoreRefusedError (ValueError)      sweep.store.retry         a tracking store answered a call with an error
    ├── SweepTakenError (ValueError)        sweep.store.lease         another driver runs the sweep
    ├── StoppedByRuleError                  sweep.trial.stopping      a stop rule ended a trial
    └── RayLostError (RuntimeError)         sweep.on_ray.watch        Ray has not started, or died under a running sweep

In brackets: the built-in exception that each one is as well. Every other wrong input is a plain ValueError, and a loss
that is not finite is a FloatingPointError. All messages say what was given, what was wanted and what to do.
"""


class TficError(Exception):
    """The parent of every exception that tfic, sweep and analysis define."""


class ImageUnsuitedError(TficError, ValueError):
    """An image that a coder or a reader cannot take, whatever is tried: too large, too wide, too flat."""


class ReaderMissingError(TficError, ValueError):
    """A reader is asked for that is not installed, or cannot read at all."""
