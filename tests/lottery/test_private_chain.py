"""The private chain of the demo leaves the process as it was."""

import subprocess
import sys

_PROGRAM = """
import django, sys
django.setup()
from lottery import private_chain
before = sys.getrecursionlimit()
private_chain.beacon()
private_chain.sign(1)
print(before, sys.getrecursionlimit())
"""


def test_the_limit_of_recursion_is_put_back():
    """py-ecc lifts it a hundredfold, and then a deeply nested JSON text from outside would end the process."""
    said = subprocess.run([sys.executable, "-c", _PROGRAM], check=True, capture_output=True, text=True).stdout

    before, after = said.split()[-2:]
    assert after == before
