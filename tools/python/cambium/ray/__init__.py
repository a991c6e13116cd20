"""Rounds of training as tasks of Ray: each on its own branch of a remote, which is all that nodes share.

```python
import cambium.ray

rounds = cambium.ray.map_rounds(
    [{"name": "law"}, {"name": "tax"}],
    ["cambium", "train", "--data", "text/{name}", "--steps", "2000"],
    remote="s3://models/base", base="main")
cambium.ray.merge_rounds(rounds, remote="s3://models/base", into="main")
```
"""

from .rounds import Round, RoundFailed, map_rounds, merge_rounds

__all__ = ["Round", "RoundFailed", "map_rounds", "merge_rounds"]
