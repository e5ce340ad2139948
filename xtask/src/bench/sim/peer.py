"""One run of AccaSim: EASY, first fit, waits of all jobs; prints CPU seconds and peak MiB.

Arguments: a log, a folder for results, nodes, processors of each.
"""

# These two make release 1.1.3 import on a current Python.
import collections, collections.abc
collections.Mapping = collections.abc.Mapping

import json, resource, sys
from accasim.base.allocator_class import FirstFit
from accasim.base.scheduler_class import EASYBackfilling
from accasim.base.simulator_class import Simulator

log, results, nodes, processors = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
system = results + "/system.json"
with open(system, "w") as file:
    json.dump({"groups": {"all": {"core": processors}}, "resources": {"all": nodes},
               "equivalence": {"processor": {"core": 1}}}, file)
# The least it can write: the waits.
output = {"format": "{job} {wait}",
          "attributes": {"job": ("id", "str"), "wait": ("waiting_time", "int")}}
simulator = Simulator(log, system, EASYBackfilling(FirstFit()), RESULTS_FOLDER_PATH=results,
                      SCHEDULE_OUTPUT=output, statistics_output=False, show_statistics=False,
                      LOG_LEVEL="ERROR")
simulator.start_simulation()
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
