"""What every command waits for."""

import subprocess
import sys


def test_no_command_waits_for_what_only_those_that_ask_a_platform_need() -> None:
    program = "import sys, deploy.cli.main; print(*sorted({'httpx', 'aiohttp', 'sqlalchemy'} & set(sys.modules)))"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.split() == []
