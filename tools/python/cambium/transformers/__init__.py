"""transformers on a store: models from a revision without files, and Trainers that commit.

```python
from cambium.transformers import CambiumCallback, from_pretrained

model = from_pretrained("S@main", experts="mapped")
Trainer(..., callbacks=[CambiumCallback("S", branch="sft", keep_files=False)])
```
"""

from .callback import CambiumCallback
from .hold import HoldCallback, states_of, stored_states
from .loading import from_pretrained

__all__ = ["CambiumCallback", "HoldCallback", "from_pretrained", "states_of", "stored_states"]
