//! Benches: one file per bench under `bench/`, listed here by name.
//!
//! A bench prints its figures with their units, the machine's cores and load average, and what it
//! compared with; it asserts no timing. The figures are copied by hand to `docs/performance.md`.

mod array;
mod cycle;
pub mod network;
mod restart;
mod sim;
mod slurm;
mod submit;
mod topology;
mod transfers;

use crate::runs::Run;

/// Every bench, in the order of the list.
pub const BENCHES: &[Run] = &[
    Run {
        name: "array",
        about: "one array of a million tasks to its end at a site that runs nothing",
        run: array::run,
    },
    Run {
        name: "cycle",
        about: "one scheduling cycle: 100,000 pending jobs, 1,000 shapes, 50 busy sites",
        run: cycle::run,
    },
    Run {
        name: "restart",
        about: "start with 1,000,000 finished and 100,000 live jobs, with and without checkpoint",
        run: restart::run,
    },
    Run {
        name: "sim",
        about: "simulator: a log beside AccaSim, shared GPUs, a network of ten million jobs",
        run: sim::run,
    },
    Run {
        name: "slurm",
        about: "jobs a second and commands on a real Slurm site: [JOBS] [ROUNDS] [WAITING]",
        run: slurm::run,
    },
    Run {
        name: "submit",
        about: "durable submissions a second: single, bulk, a million-task array; sbatch beside",
        run: submit::run,
    },
    Run {
        name: "topology",
        about: "mapping of ranks beside Scotch, METIS and Mt-KaHyPar, on public instances",
        run: topology::run,
    },
    Run {
        name: "transfers",
        about: "chunks between two sites over emulated links, beside iperf3; foretold times",
        run: transfers::run,
    },
];
