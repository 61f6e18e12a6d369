# SPDX-License-Identifier: GPL-2.0-or-later
"""outside.py HOST PORT - rank 0 has a connection that leads out of the step

Counts as count.c does, and says "reset" when the connection is.
"""
import os
import socket
import sys
import time

token = os.urandom(4).hex()
end = None
if os.environ["SLURM_PROCID"] == "0":
    end = socket.create_connection((sys.argv[1], int(sys.argv[2])))
    end.setblocking(False)
number = 0
while not os.path.exists("stop"):
    number += 1
    print("count", number, token, socket.gethostname(), flush=True)
    try:
        if end and not end.recv(1):
            print("closed", flush=True)
            end = None
    except BlockingIOError:
        pass
    except ConnectionResetError:
        print("reset", flush=True)
        end = None
    time.sleep(0.1)
