use super::{BillingWeights, Combine, Decayed};
use proptest::prelude::*;
use suanpan_model::memory::Mebibytes;
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_model::tres::Tres;

const WEEK: Seconds = Seconds(7 * 24 * 3_600);

fn amount(cpus: u32, gibibytes: u64) -> Tres {
    Tres { cpus, memory: Mebibytes::new(gibibytes * 1_024), gpus: 0 }
}

/// The examples of Slurm's manual of the multifactor plugin, section "Fair-share Factor":
/// `TRESBillingWeights=CPU=1.0,Mem=0.25G` on nodes of 16 CPUs and 64 GB.
#[test]
fn the_manuals_jobs_are_billed_as_it_says() {
    let sum = BillingWeights { gibibyte_milli: 250, ..BillingWeights::default() };
    assert_eq!(sum.billed_milli(&amount(1, 60), 1), 16_000);
    assert_eq!(sum.billed_milli(&amount(16, 1), 1), 16_250);
    assert_eq!(sum.billed_milli(&amount(16, 60), 1), 31_000);
    let largest = BillingWeights { combine: Combine::Largest, ..sum };
    assert_eq!(largest.billed_milli(&amount(1, 60), 1), 15_000);
    assert_eq!(largest.billed_milli(&amount(15, 1), 1), 15_000);
    assert_eq!(largest.billed_milli(&amount(16, 64), 1), 16_000);
}

#[test]
fn a_half_life_halves() {
    let used = Decayed { amount: 1_000_000, at: Timestamp(5) };
    let later = |seconds| Timestamp(5).plus(Seconds(seconds));
    assert_eq!(used.at(later(0), Some(WEEK)), 1_000_000);
    assert_eq!(used.at(later(WEEK.0), Some(WEEK)), 500_000);
    assert_eq!(used.at(later(3 * WEEK.0), Some(WEEK)), 125_000);
    assert_eq!(used.at(later(80 * WEEK.0), Some(WEEK)), 0);
    assert_eq!(used.at(later(WEEK.0), None), 1_000_000, "without a half-life nothing is lost");
    assert_eq!(used.at(Timestamp(0), Some(WEEK)), 1_000_000, "time does not run backwards");
}

#[test]
fn what_is_added_later_counts_more() {
    let mut used = Decayed::default();
    used.add(800, Timestamp(0), Some(WEEK));
    used.add(800, Timestamp(0).plus(WEEK), Some(WEEK));
    assert_eq!(used.amount, 1_200);
}

proptest! {
    #[test]
    fn decay_follows_the_power_of_two(
        amount in 0u64..1 << 50, seconds in 0u64..100_000_000, half in 1u64..10_000_000,
    ) {
        let used = Decayed { amount, at: Timestamp(0) };
        let left = used.at(Timestamp(0).plus(Seconds(seconds)), Some(Seconds(half)));
        let exact = amount as f64 * (-(seconds as f64) / half as f64).exp2();
        prop_assert!((left as f64 - exact).abs() <= 40.0 + exact * 1e-8, "{left} and {exact}");
        let more = used.at(Timestamp(0).plus(Seconds(seconds + 1)), Some(Seconds(half)));
        prop_assert!(more <= left + 40, "it only ever fades");
    }
}
