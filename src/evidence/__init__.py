"""Track what studies reported, compare it, and list what remains unknown.

Importing this package loads nothing else: each public name in `__init__.pyi` is loaded on first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
