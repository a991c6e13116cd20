"""torch.distributed.checkpoint on a store: a save is a commit, a load may have other ranks.

```python
import torch.distributed.checkpoint as dcp
from cambium.torch import StorageReader, StorageWriter

dcp.save({"model": model.state_dict()}, storage_writer=StorageWriter("S", branch="run7"))
dcp.load(state_dict, storage_reader=StorageReader("S", "run7"))
```
"""

from .reader import StorageReader
from .writer import StorageWriter

__all__ = ["StorageReader", "StorageWriter"]
