//! The policy as it is typed, and as it is meant.

use std::fmt;
use suanpan_model::time::Seconds;
use suanpan_model::walltime::Walltime;
use suanpan_sched::order::multifactor::{Favor, Weights};
use suanpan_sched::order::priority::{Entitlement, PriorityPolicy, Qos, WhenPreempted};
use suanpan_sched::order::usage::{BillingWeights, Combine};
use suanpan_wire::v1::{self, fields};

/// A value that cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// Where it is: `qos.urgent.grace`.
    pub(super) field: String,
    /// What is there.
    pub(super) value: String,
    /// What would be right.
    pub(super) expected: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: `{}`: expected {}", self.field, self.value, self.expected)
    }
}

/// How far apart two workings-out of all priorities may and must be: each costs O(jobs).
const EVERY: std::ops::RangeInclusive<u64> = 10..=86_400;

/// Most shares of a project or user; with as many projects as there can be their sum still fits.
const SHARES_MAX: u32 = 1_000_000;

/// Says what a policy means.
pub(super) fn meant(typed: &v1::PriorityPolicy) -> Result<PriorityPolicy, Wrong> {
    let mut policy = PriorityPolicy::default();
    if let Some(text) = &typed.age_max {
        policy.age_max = above_zero("age_max", text)?;
    }
    match typed.half_life.as_deref() {
        Some("never") => policy.half_life = None,
        Some(text) => policy.half_life = Some(above_zero("half_life", text)?),
        None => {}
    }
    if let Some(text) = &typed.every {
        policy.every = length("every", text)?;
        if !EVERY.contains(&policy.every.0) {
            return Err(wrong("every", text, "00:10 to 1-00:00:00"));
        }
    }
    policy.favor = match typed.favor.unwrap_or(v1::Favor::Large) {
        v1::Favor::Large => Favor::Large,
        v1::Favor::Small => Favor::Small,
        v1::Favor::LargeForItsTime => Favor::LargeForItsTime,
    };
    // Partitions and associations have no priorities here, so their weights count nothing.
    let (asked, usual) = (typed.weights.unwrap_or_default(), policy.weights);
    policy.weights = Weights {
        age: asked.age.unwrap_or(usual.age),
        fair_share: asked.fair_share.unwrap_or(usual.fair_share),
        job_size: asked.job_size.unwrap_or(usual.job_size),
        qos: asked.qos.unwrap_or(usual.qos),
        ..usual
    };
    if let Some(billing) = &typed.billing {
        policy.billing = meant_billing(billing)?;
    }
    for (name, qos) in &typed.qos {
        policy.qos.insert(name.clone(), meant_qos(typed, name, qos)?);
    }
    for (project, shares) in &typed.shares {
        policy.shares.insert(project.clone(), meant_shares(project, shares)?);
    }
    Ok(policy)
}

fn meant_billing(typed: &v1::BillingWeights) -> Result<BillingWeights, Wrong> {
    let usual = BillingWeights::default();
    let milli = |field: &str, weight: Option<f64>, usual: u64| match weight {
        None => Ok(usual),
        Some(weight) if (0.0..=1_000_000.0).contains(&weight) => {
            Ok((weight * 1_000.0).round() as u64)
        }
        Some(weight) => {
            Err(wrong(&format!("billing.{field}"), &weight.to_string(), "0 to 1000000"))
        }
    };
    Ok(BillingWeights {
        cpu_milli: milli("cpu", typed.cpu, usual.cpu_milli)?,
        gibibyte_milli: milli("gib", typed.gib, usual.gibibyte_milli)?,
        gpu_milli: milli("gpu", typed.gpu, usual.gpu_milli)?,
        combine: match typed.combine.unwrap_or(v1::Combine::Sum) {
            v1::Combine::Sum => Combine::Sum,
            v1::Combine::Largest => Combine::Largest,
        },
    })
}

fn meant_qos(all: &v1::PriorityPolicy, name: &str, typed: &v1::Qos) -> Result<Qos, Wrong> {
    fields::word(name).map_err(|right| wrong("qos", name, &right))?;
    let field = |part: &str| format!("qos.{name}.{part}");
    for lower in &typed.preempts {
        let right = match all.qos.get(lower) {
            None => "names of QOSs of this policy",
            Some(other) if other.priority >= typed.priority => {
                "QOSs of lower priority only, since no other is ever stopped"
            }
            Some(_) => continue,
        };
        return Err(wrong(&field("preempts"), lower, right));
    }
    let length = |part: &str, text: &Option<String>| match text {
        None => Ok(Seconds(0)),
        Some(text) => length(&field(part), text),
    };
    Ok(Qos {
        priority: typed.priority,
        preempts: typed.preempts.clone(),
        when_preempted: match typed.when_preempted.unwrap_or(v1::WhenPreempted::Requeue) {
            v1::WhenPreempted::Requeue => WhenPreempted::Requeue,
            v1::WhenPreempted::Cancel => WhenPreempted::Cancel,
        },
        exempt: length("exempt", &typed.exempt)?,
        grace: length("grace", &typed.grace)?,
        users: typed.users.clone(),
        projects: typed.projects.clone(),
    })
}

fn meant_shares(project: &str, typed: &v1::ProjectShares) -> Result<Entitlement, Wrong> {
    let field = format!("shares.{project}");
    let check = |field: &str, shares: u32| match shares {
        1..=SHARES_MAX => Ok(shares),
        _ => Err(wrong(field, &shares.to_string(), "1 to 1000000")),
    };
    let mut users = std::collections::BTreeMap::new();
    for (user, shares) in &typed.users {
        users.insert(user.clone(), check(&format!("{field}.users.{user}"), *shares)?);
    }
    let shares = check(&format!("{field}.shares"), typed.shares.unwrap_or(1))?;
    Ok(Entitlement { shares, users })
}

/// A length of time. A bare number is refused: it is minutes in some of Slurm's settings and
/// seconds in others.
fn length(field: &str, text: &str) -> Result<Seconds, Wrong> {
    if text == "0" {
        return Ok(Seconds(0));
    }
    let parsed = text.parse::<Walltime>().ok().filter(|_| text.contains([':', '-']));
    let right = "mm:ss, hh:mm:ss, d-hh or d-hh:mm:ss, or 0";
    parsed.map(|found| Seconds(found.seconds().into())).ok_or_else(|| wrong(field, text, right))
}

fn above_zero(field: &str, text: &str) -> Result<Seconds, Wrong> {
    match length(field, text)? {
        Seconds(0) => Err(wrong(field, text, "a length above zero")),
        found => Ok(found),
    }
}

fn wrong(field: &str, value: &str, expected: &str) -> Wrong {
    Wrong { field: field.to_owned(), value: value.to_owned(), expected: expected.to_owned() }
}

/// A policy with every value, in the form in which it is typed.
pub(super) fn shown(policy: &PriorityPolicy) -> v1::PriorityPolicy {
    let milli = |weight: u64| Some(weight as f64 / 1_000.0);
    let weights = &policy.weights;
    v1::PriorityPolicy {
        age_max: Some(text(policy.age_max)),
        half_life: Some(policy.half_life.map_or_else(|| "never".to_owned(), text)),
        every: Some(text(policy.every)),
        favor: Some(match policy.favor {
            Favor::Large => v1::Favor::Large,
            Favor::Small => v1::Favor::Small,
            Favor::LargeForItsTime => v1::Favor::LargeForItsTime,
        }),
        weights: Some(v1::PriorityWeights {
            age: Some(weights.age),
            fair_share: Some(weights.fair_share),
            job_size: Some(weights.job_size),
            qos: Some(weights.qos),
        }),
        billing: Some(v1::BillingWeights {
            cpu: milli(policy.billing.cpu_milli),
            gib: milli(policy.billing.gibibyte_milli),
            gpu: milli(policy.billing.gpu_milli),
            combine: Some(match policy.billing.combine {
                Combine::Sum => v1::Combine::Sum,
                Combine::Largest => v1::Combine::Largest,
            }),
        }),
        qos: policy.qos.iter().map(|(name, qos)| (name.clone(), shown_qos(qos))).collect(),
        shares: policy
            .shares
            .iter()
            .map(|(project, entitlement)| {
                let Entitlement { shares, users } = entitlement.clone();
                (project.clone(), v1::ProjectShares { shares: Some(shares), users })
            })
            .collect(),
    }
}

fn shown_qos(qos: &Qos) -> v1::Qos {
    v1::Qos {
        priority: qos.priority,
        preempts: qos.preempts.clone(),
        when_preempted: Some(match qos.when_preempted {
            WhenPreempted::Requeue => v1::WhenPreempted::Requeue,
            WhenPreempted::Cancel => v1::WhenPreempted::Cancel,
        }),
        exempt: Some(text(qos.exempt)),
        grace: Some(text(qos.grace)),
        users: qos.users.clone(),
        projects: qos.projects.clone(),
    }
}

fn text(length: Seconds) -> String {
    let seconds = u32::try_from(length.0).unwrap_or(u32::MAX);
    Walltime::from_seconds(seconds).map_or_else(|| "0".to_owned(), |length| length.to_string())
}

#[cfg(test)]
mod tests {
    use super::{meant, shown};
    use suanpan_sched::order::priority::PriorityPolicy;
    use suanpan_wire::v1;

    fn typed(json: &str) -> v1::PriorityPolicy {
        serde_json::from_str(json).expect("the test's own policy")
    }

    #[test]
    fn what_is_left_out_is_slurms_and_what_is_shown_can_be_typed() {
        assert_eq!(meant(&typed("{}")), Ok(PriorityPolicy::default()));
        let policy = meant(&typed(
            r#"{"half_life": "never", "every": "01:00", "favor": "small",
                "weights": {"qos": 2000}, "billing": {"cpu": 1.5, "combine": "largest"},
                "qos": {"low": {"grace": "00:30", "users": ["ann"]},
                        "high": {"priority": 9, "preempts": ["low"], "when_preempted": "cancel"}},
                "shares": {"physics": {"shares": 3, "users": {"ann": 2}}}}"#,
        ));
        let policy = policy.expect("a sound policy");
        assert_eq!(policy.billing.cpu_milli, 1_500);
        assert_eq!((policy.qos["low"].grace.0, policy.weights.age), (30, 1_000));
        assert_eq!(meant(&shown(&policy)), Ok(policy));
    }

    #[test]
    fn what_cannot_be_is_refused_by_field() {
        for (json, field, expected) in [
            (r#"{"age_max": "60"}"#, "age_max", "mm:ss"),
            (r#"{"half_life": "0"}"#, "half_life", "above zero"),
            (r#"{"every": "00:01"}"#, "every", "00:10"),
            (r#"{"billing": {"gpu": -1.0}}"#, "billing.gpu", "0 to 1000000"),
            (r#"{"qos": {"a b": {}}}"#, "qos", "letters"),
            (r#"{"qos": {"a": {"preempts": ["b"]}}}"#, "qos.a.preempts", "of this policy"),
            (r#"{"qos": {"a": {"preempts": ["a"]}}}"#, "qos.a.preempts", "lower priority"),
            (r#"{"qos": {"a": {"grace": "soon"}}}"#, "qos.a.grace", "mm:ss"),
            (r#"{"shares": {"p": {"shares": 0}}}"#, "shares.p.shares", "1 to"),
            (r#"{"shares": {"p": {"users": {"u": 0}}}}"#, "shares.p.users.u", "1 to"),
        ] {
            let wrong = meant(&typed(json)).expect_err(json);
            assert_eq!(wrong.field, field, "{json}");
            assert!(wrong.expected.contains(expected), "{json}: {wrong}");
        }
    }
}
