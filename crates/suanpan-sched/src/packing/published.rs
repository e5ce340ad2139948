//! The other policies that FGD was compared with (Weng et al., ATC'23, section 6), with the scores
//! of the authors' simulator: whole numbers from 0 to 100, cut, so that many nodes are equal.

use super::node::Node;
use super::request::{GpuAsk, PodRequest, WHOLE_GPU};

/// CPU of the largest node, in thousandths: the unit of the scores.
const LARGEST_CPU: f64 = 128_000.0;

/// GPUs of the largest node, in thousandths.
const LARGEST_GPUS: u32 = 8_000;

/// DotProd, the alignment of Tetris (Grandl et al., SIGCOMM'14) turned round: the less the product
/// of what is free and what is asked, the better.
pub(super) fn dot_product(node: &Node, request: &PodRequest) -> i32 {
    let gpus = f64::from(LARGEST_GPUS);
    let cpu =
        f64::from(node.cpu_free()) / LARGEST_CPU * (f64::from(request.cpu_milli) / LARGEST_CPU);
    let gpu = f64::from(node.gpu_free()) / gpus * (f64::from(request.gpus.milli()) / gpus);
    (100.0 * (1.0 - (cpu + gpu) / 2.0)) as i32
}

/// BestFit: the less CPU and GPU is left, the better.
pub(super) fn best_fit(node: &Node, request: &PodRequest) -> i32 {
    let cpu = f64::from(node.cpu_free()) - f64::from(request.cpu_milli);
    let gpu = f64::from(node.gpu_free()) - f64::from(request.gpus.milli());
    let left = cpu / LARGEST_CPU * 0.5 + gpu / f64::from(LARGEST_GPUS) * 0.5;
    ((1.0 - left) * 100.0) as i32
}

/// GpuPacking: GPUs in use first, then free GPUs of nodes in use, then free nodes (as MLaaS in the
/// wild does, Weng et al., NSDI'22). Pods without GPUs go anywhere.
pub(super) fn gpu_packing(node: &Node, request: &PodRequest) -> i32 {
    let free = node.free_gpus();
    let (needed, share) = match request.gpus {
        GpuAsk::None => return 0,
        GpuAsk::Share(share) => (0, share),
        GpuAsk::Whole(count) => (i32::from(count), WHOLE_GPU),
    };
    if free == node.gpus().len() {
        let free = free as i32;
        return (33 - free).max(free);
    }
    let fits = node.gpus().iter().filter(|&&gpu| gpu >= share);
    let tightest = *fits.min().expect("only nodes that fit are scored");
    match tightest {
        WHOLE_GPU => (50 - needed.max(1)).max(33),
        used => 100 - i32::from(used) * 100 / i32::from(WHOLE_GPU) / 10,
    }
}

/// GpuClustering: pods that ask GPUs alike together (as Gandiva does, Xiao et al., OSDI'18), then
/// the node with the least GPU left. Pods without GPUs go anywhere.
pub(super) fn gpu_clustering(node: &Node, request: &PodRequest) -> i32 {
    if request.gpus == GpuAsk::None {
        return 0;
    }
    let used = i64::from(LARGEST_GPUS) - i64::from(node.gpu_free());
    let fullness = (25 * used / i64::from(LARGEST_GPUS)) as i32;
    fullness
        + match node.kinds(request.gpus) {
            (true, false) => 75,
            (true, true) => 50,
            (false, false) => 25,
            (false, true) => 0,
        }
}
