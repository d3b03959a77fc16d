"""A plugin of pytest: what our code holds back of warnings is not held back.

Readers and writers keep the warnings of libraries from users. Here they are seen: those
of other packages are listed, those that our own calls cause are errors, by ends.ini.
"""

import sys
import warnings

_simplefilter = warnings.simplefilter


def _unless_ours(action, *rest, **options):
    if "napari_semst" not in sys._getframe(1).f_code.co_filename:
        _simplefilter(action, *rest, **options)


warnings.simplefilter = _unless_ours
