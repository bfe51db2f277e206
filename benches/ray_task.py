"""What an empty task costs on Ray itself, for the page of benchmarks: `pip install ray && python benches/ray_task.py`.

Prints the median and the 99th percentile of one task at a time, from its submission to its result, of a method of an
actor likewise, and the time of each of many tasks that are submitted at once. Times are in microseconds.
"""

import statistics
import time

import ray

ROUNDS = 3000
AT_ONCE = 20_000


@ray.remote
def empty():
    return 1


@ray.remote
class Counter:
    def __init__(self):
        self.count = 0

    def inc_and_get(self):
        self.count += 1
        return self.count


def one_at_a_time(submit):
    for _ in range(200):
        ray.get(submit())
    times = []
    for _ in range(ROUNDS):
        begin = time.perf_counter_ns()
        ray.get(submit())
        times.append((time.perf_counter_ns() - begin) / 1000)
    times.sort()
    return statistics.median(times), times[len(times) * 99 // 100]


def at_once():
    begin = time.perf_counter_ns()
    ray.get([empty.remote() for _ in range(AT_ONCE)])
    return (time.perf_counter_ns() - begin) / 1000 / AT_ONCE


def main():
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    print(f"Ray {ray.__version__}")
    print("a task, submit to result: median %.0f us, p99 %.0f us" % one_at_a_time(empty.remote))
    counter = Counter.remote()
    print("a method of an actor:     median %.0f us, p99 %.0f us" % one_at_a_time(counter.inc_and_get.remote))
    at_once()
    print("each of %d at once:    %.0f us" % (AT_ONCE, statistics.median(at_once() for _ in range(3))))


if __name__ == "__main__":
    main()
