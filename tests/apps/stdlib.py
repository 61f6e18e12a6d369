# SPDX-License-Identifier: GPL-2.0-or-later
"""What Python programs are made of, one after the other: asyncio with sockets
and children, threads, processes forked and spawned, sqlite, mmap.  The start
method forkserver is not here: it passes descriptors, which may be refused."""

import asyncio
import concurrent.futures
import hashlib
import mmap
import multiprocessing
import queue
import sqlite3
import threading
import time


def chain(seed):
    digest = b"%d" % seed
    for _ in range(60000):
        digest = hashlib.sha256(digest).digest()
    return digest.hex()


async def answer(reader, writer):
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()


async def ask():
    server = await asyncio.start_unix_server(answer, path="socket")
    reader, writer = await asyncio.open_unix_connection("socket")
    lines = []
    for i in range(100):
        writer.write(b"line %d\n" % i)
        await writer.drain()
        lines.append(await reader.readline())
        await asyncio.sleep(0.005)
    writer.close()
    server.close()
    return hashlib.sha256(b"".join(lines)).hexdigest()


async def sleepers(factor):
    total = 0
    for i in range(30):
        await asyncio.sleep(0.02)
        total += i * factor
    return total


async def loop():
    child = await asyncio.create_subprocess_exec(
        "sh", "-c", "for i in 1 2 3 4 5; do echo $i; sleep 0.05; done",
        stdout=asyncio.subprocess.PIPE)
    totals = await asyncio.gather(*[sleepers(i) for i in range(50)])
    return totals, (await child.communicate())[0], await ask()


def threads():
    jobs, results = queue.Queue(), []

    def work():
        while (job := jobs.get()) is not None:
            results.append((job, sum(i * i for i in range(job * 500))))

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for job in list(range(1, 100)) + [None] * len(workers):
        jobs.put(job)
    for worker in workers:
        worker.join()
    return sorted(results)


def pool(method):
    with concurrent.futures.ProcessPoolExecutor(
            2, mp_context=multiprocessing.get_context(method)) as executor:
        return list(executor.map(chain, range(6)))


def database():
    base = sqlite3.connect("base")
    base.execute("create table t(a, b)")
    for i in range(20000):
        base.execute("insert into t values(?, ?)", (i, str(i * 7)))
        if i % 4000 == 0:
            base.commit()
    base.commit()
    return base.execute("select sum(a), count(distinct b) from t").fetchall()


def mapped():
    with open("map", "w+b") as file:
        file.truncate(1 << 20)
        memory = mmap.mmap(file.fileno(), 1 << 20)
        for step in range(20):
            for i in range(0, 1 << 20, 4096):
                memory[i] = (memory[i] + step) % 256
            time.sleep(0.02)
        return hashlib.sha256(memory).hexdigest()


def main():
    with open("result", "w", encoding="ascii") as file:
        print(asyncio.run(loop()), file=file)
        print(threads(), file=file)
        for method in "fork", "spawn":
            print(pool(method), file=file)
        print(database(), mapped(), file=file)


if __name__ == "__main__":
    main()
