"""TRL, whose trainers are Transformers': `callbacks=[unstuck.adapters.trl.Watch()]`."""

from __future__ import annotations

from unstuck.adapters.transformers import Watch as Watch
