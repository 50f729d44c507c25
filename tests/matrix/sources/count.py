import asyncio
import json
import multiprocessing
import sys
import threading


def words(seed):
    return len({"word%d" % (i * seed % 300): i for i in range(2000)})


def threads():
    found = []
    all_threads = [threading.Thread(target=lambda n=n: found.append(words(n))) for n in range(1, 400)]
    for thread in all_threads:
        thread.start()
    for thread in all_threads:
        thread.join()
    return sum(found)


def processes(how):
    with multiprocessing.get_context(how).Pool(3) as pool:
        found = pool.map(words, range(1, 30))
        pool.close()
        pool.join()
    return sum(found)


async def served(reader, writer):
    writer.write((await reader.readline()).upper())
    await writer.drain()
    writer.close()


async def sockets():
    server = await asyncio.start_unix_server(served, "socket")
    answers = []
    for i in range(100):
        reader, writer = await asyncio.open_unix_connection("socket")
        writer.write(b"line %d\n" % i)
        answers.append(await reader.readline())
        writer.close()
    server.close()
    return len(b"".join(answers))


if __name__ == "__main__":
    kind = sys.argv[1]
    if kind == "json":
        print(words(7), len(json.dumps(json.loads(json.dumps([list(range(30))] * 30)))))
    elif kind == "threads":
        print(threads())
    elif kind == "sockets":
        print(asyncio.run(sockets()))
    else:
        print(processes(kind))
