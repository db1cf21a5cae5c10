"""What people say cut into words, Chinese into characters, and the words of speech that tell nothing by themselves.

Not here: counting them (`word_counts`).
"""

import re

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

TOKEN = re.compile(r"[\u3400-\u9fff]|\d+(?:[.,]\d+)*%?|[^\W\d_]+(?:['’][^\W\d_]+)*")
GLUE = frozenset({*ENGLISH_STOP_WORDS, *"的了吗呢吧啊哦有没是我你要这那在和也不个请给"})
