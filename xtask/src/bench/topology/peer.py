"""Maps a graph onto a target graph with Mt-KaHyPar and prints its CPU seconds.

Arguments: graph and target, both METIS; largest part over the mean, less 1; where the block of each
vertex is written, one a line.
"""

import sys
import time

import mtkahypar

graph_file, target_file, imbalance, out = sys.argv[1:]
toolkit = mtkahypar.initialize(1)
context = toolkit.context_from_preset(mtkahypar.PresetType.QUALITY)
mtkahypar.set_seed(1)
graph = toolkit.graph_from_file(graph_file, context, mtkahypar.FileFormat.METIS)
target = toolkit.target_graph_from_file(target_file, context, mtkahypar.FileFormat.METIS)
context.set_mapping_parameters(target.num_nodes(), float(imbalance))
context.logging = False
before = time.process_time()
mapped = graph.map_onto_graph(target, context)
print(time.process_time() - before)
with open(out, "w") as blocks:
    for vertex in range(graph.num_nodes()):
        blocks.write(f"{mapped.block_id(vertex)}\n")
