"""Cambium, an expert store: every version of a mixture-of-experts model, mapped for reading.

```python
import cambium
store = cambium.open("S")
snapshot = store["main"]
w = snapshot.get_tensor("model.embed_tokens.weight", framework="pt")
expert = snapshot.experts(layer=3)[17]
```
"""

from ._library import version
from .care import migrate, repack
from .changes import Change, Changes
from .diff import Diff
from .engine import Engine, Routes
from .errors import (
    BadCheckpoint,
    BadInput,
    BranchMoved,
    CambiumError,
    Cancelled,
    Closed,
    Conflict,
    Corrupt,
    Exists,
    Forked,
    Incompatible,
    ModelFailure,
    NotAStore,
    NotFound,
    RemoteFailure,
    StorageFailure,
)
from .experts import Expert, Experts
from .given import TypedArray
from .records import (
    CollectResult,
    Commit,
    CommitResult,
    Evaluation,
    Log,
    MergeResult,
    Reference,
    VerifyResult,
)
from .remotes import clone
from .snapshot import Snapshot
from .store import Store, init, open
from .tensor import Tensor, TensorInfo
from .transaction import Transaction

__version__ = version()
