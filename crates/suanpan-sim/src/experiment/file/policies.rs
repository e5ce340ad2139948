//! The policies of an experiment file: a name, or a table with a name and options.

use super::title;
use crate::experiment::campaign::file_word;
use crate::experiment::run::batch::{BatchRule, Expected, ORDERS};
use crate::experiment::run::elastic::ElasticRule;
use crate::experiment::run::network::{NetworkRule, Order};
use crate::experiment::run::{self, Rule};
use crate::experiment::section::{Section, Value};
use crate::experiment::{Policy, SiteModel};
use crate::problem::Problem;
use suanpan_model::job::Goal;
use suanpan_sched::order::list_order::ListOrder;
use suanpan_sched::predict::correction::Correction;
use suanpan_site::model::batch::{BatchPolicy, Convention};

/// Most promises that are asked for by number.
const DEPTH_MAX: u64 = 1_000_000;
/// Goals by name.
pub(super) const GOALS: [(&str, Goal); 3] =
    [("fastest", Goal::Fastest), ("cheapest", Goal::Cheapest), ("balanced", Goal::Balanced)];

pub(super) fn policies(value: Value<'_>, model: &SiteModel) -> Result<Vec<Policy>, Problem> {
    let rules = run::rules(model);
    let expected = format!("a list of policies, such as [\"{}\"]", example(&rules));
    let empty = value.wrong(&expected);
    let mut policies: Vec<Policy> = Vec::new();
    for value in value.list(&expected)? {
        let twice = value.wrong("each policy once; give those with options a `label` of their own");
        let policy = match value.is_table() {
            true => with_options(value.section("a table")?, &rules, model)?,
            false => {
                let rule = value.word(&rules)?;
                if scans_in_vain(rule, model) {
                    return Err(value.wrong(NO_SCAN));
                }
                needs_priorities(rule, model).map_or(Ok(()), |told| Err(value.wrong(told)))?;
                Policy { name: value.text(&expected)?, rule }
            }
        };
        let same = |other: &Policy| file_word(&other.name) == file_word(&policy.name);
        if policies.iter().any(same) {
            return Err(twice);
        }
        policies.push(policy);
    }
    if policies.is_empty() { Err(empty) } else { Ok(policies) }
}

fn example(rules: &[(&'static str, Rule)]) -> String {
    let names: Vec<&str> = rules.iter().take(2).map(|(name, _)| *name).collect();
    names.join("\", \"")
}

const NO_SCAN: &str = "a policy without `scan`: EASY as AccaSim has it tries jobs in the order of \
                       the queue";

/// AccaSim's EASY knows one order only.
fn scans_in_vain(rule: Rule, model: &SiteModel) -> bool {
    let is_accasim = matches!(model, SiteModel::Batch { convention: Convention::AccaSim, .. });
    let Rule::Batch(BatchRule { policy, .. }) = rule else { return false };
    is_accasim && matches!(policy, BatchPolicy::EasyBackfill { scan: Some(_), .. })
}

fn needs_priorities(rule: Rule, model: &SiteModel) -> Option<&'static str> {
    let (Rule::Network(rule), SiteModel::Network(network)) = (rule, model) else { return None };
    let lacks = rule.order == Order::Priority && network.priorities.is_none();
    lacks.then_some("a table [priorities] in this file, which says how jobs are given priorities")
}

/// Whether a network says how jobs are given priorities and no policy asks for it.
pub(super) fn leave_priorities_unused(policies: &[Policy], model: &SiteModel) -> bool {
    let has_priorities =
        matches!(model, SiteModel::Network(network) if network.priorities.is_some());
    let asks = |policy: &Policy| match policy.rule {
        Rule::Network(rule) => rule.order == Order::Priority,
        _ => false,
    };
    has_priorities && !policies.iter().any(asks)
}

/// Options as they are taken, with what they say in short.
struct Options<'s, 't> {
    section: &'s mut Section<'t>,
    told: String,
}

impl<'t> Options<'_, 't> {
    fn take(&mut self, key: &'static str) -> Option<Value<'t>> {
        let value = self.section.take(key)?;
        self.told.push_str(&format!(" {key}={}", value.shown()));
        Some(value)
    }

    fn whole(&mut self, key: &'static str, most: u64, what: &str) -> Result<Option<u64>, Problem> {
        self.take(key).map(|value| value.whole(0..=most, what)).transpose()
    }

    fn number(
        &mut self,
        key: &'static str,
        to: &mut f64,
        range: (f64, f64),
    ) -> Result<(), Problem> {
        if let Some(value) = self.take(key) {
            *to = value.number(range.0..=range.1, "a number")?;
        }
        Ok(())
    }
}

fn with_options(
    mut section: Section<'_>,
    rules: &[(&'static str, Rule)],
    model: &SiteModel,
) -> Result<Policy, Problem> {
    let mut words = rules.to_vec();
    if matches!(model, SiteModel::Batch { .. }) {
        let order = ListOrder::Fcfs;
        let rule =
            BatchRule { policy: BatchPolicy::List { order }, run_times: Expected::Requested };
        words.push(("list", Rule::Batch(rule)));
    }
    let value = section.need("name", "the name of a policy")?;
    let rule = value.word(&words)?;
    let name = value.text("the name of a policy")?;
    let label = section.take("label").map(|value| title(&value)).transpose()?;
    let mut options = Options { section: &mut section, told: String::new() };
    let rule = match rule {
        Rule::Batch(rule) => Rule::Batch(batch(rule, &name, &mut options)?),
        Rule::Packing(rule) => Rule::Packing(rule),
        Rule::Elastic(rule) => Rule::Elastic(elastic(rule, &mut options)?),
        Rule::Network(rule) => Rule::Network(network(rule, &name, &mut options)?),
    };
    let told = options.told;
    if scans_in_vain(rule, model) {
        return Err(value.wrong(NO_SCAN));
    }
    if !rule.suits(model) {
        let names: Vec<&str> = rules.iter().map(|(name, _)| *name).collect();
        let names = names.join(", ");
        return Err(
            value.wrong(&format!("options as in one of these, which suit the site: {names}"))
        );
    }
    needs_priorities(rule, model).map_or(Ok(()), |told| Err(value.wrong(told)))?;
    section.finish()?;
    Ok(Policy { name: label.unwrap_or_else(|| name + &told), rule })
}

/// `list`, `easy` and `conservative` have options; the others are these with options set.
fn batch(
    mut rule: BatchRule,
    name: &str,
    options: &mut Options<'_, '_>,
) -> Result<BatchRule, Problem> {
    if !matches!(name, "list" | "easy" | "conservative") {
        return Ok(rule);
    }
    let order = match options.take("order") {
        Some(value) => value.word(&ORDERS)?,
        None if name == "list" => {
            options.section.need("order", "the order in which jobs start")?.word(&ORDERS)?
        }
        None => ListOrder::Fcfs,
    };
    rule.policy = match name {
        "list" => BatchPolicy::List { order },
        "easy" => {
            let scan = options.take("scan").map(|value| value.word(&ORDERS)).transpose()?;
            BatchPolicy::EasyBackfill { order, scan }
        }
        _ => match options.whole("reservation_depth", DEPTH_MAX, "jobs with a promised start")? {
            None => BatchPolicy::ConservativeBackfill { order },
            Some(depth) => BatchPolicy::HybridBackfill { order, reservation_depth: depth as u32 },
        },
    };
    let last_two = Expected::LastTwo(Correction::default());
    if let Some(value) = options.take("run_times") {
        rule.run_times = value.word(&[
            ("requested", Expected::Requested),
            ("true", Expected::True),
            ("last-two", last_two),
            ("learnt", Expected::Learnt),
        ])?;
    }
    if rule.run_times == last_two
        && let Some(value) = options.take("correction")
    {
        rule.run_times = Expected::LastTwo(value.word(&[
            ("gradual", Correction::Gradual),
            ("requested", Correction::Requested),
            ("doubling", Correction::Doubling),
        ])?);
    }
    Ok(rule)
}

fn elastic(rule: ElasticRule, options: &mut Options<'_, '_>) -> Result<ElasticRule, Problem> {
    const FAIRNESS: (f64, f64) = (-10.0, -0.01);
    const NO_ALLOCATION: (f64, f64) = (1.0, 1000.0);
    Ok(match rule {
        ElasticRule::Gavel(objective) => ElasticRule::Gavel(objective),
        ElasticRule::Sia(knowledge, mut sia) => {
            options.number("fairness", &mut sia.fairness, FAIRNESS)?;
            options.number("no_allocation", &mut sia.no_allocation, NO_ALLOCATION)?;
            ElasticRule::Sia(knowledge, sia)
        }
        ElasticRule::Horizon(knowledge, mut horizon) => {
            options.number("fairness", &mut horizon.fairness, FAIRNESS)?;
            options.number("no_allocation", &mut horizon.no_allocation, NO_ALLOCATION)?;
            options.number("horizon_s", &mut horizon.horizon_s, (1.0, 1e9))?;
            options.number("weight", &mut horizon.weight, (0.0, 10.0))?;
            ElasticRule::Horizon(knowledge, horizon)
        }
    })
}

fn network(
    mut rule: NetworkRule,
    name: &str,
    options: &mut Options<'_, '_>,
) -> Result<NetworkRule, Problem> {
    if name != "easy"
        && let Some(depth) =
            options.whole("reservation_depth", DEPTH_MAX, "jobs with a promised start")?
    {
        rule.reservation_depth = depth as u32;
    }
    if let Some(value) = options.take("order") {
        rule.order =
            value.word(&[("submission", Order::Submission), ("priority", Order::Priority)])?;
    }
    rule.goal = options.take("goal").map(|value| value.word(&GOALS)).transpose()?;
    if let Some(value) = options.take("starts_max") {
        rule.starts_max = value.whole(1..=DEPTH_MAX, "starts of one cycle")? as u32;
    }
    // Only a QOS lets a job stop others.
    if rule.order == Order::Priority
        && let Some(most) =
            options.whole("preemptions_max", DEPTH_MAX, "jobs that others stop for")?
    {
        rule.preemptions_max = most as u32;
    }
    rule.cycle_s = options.whole("cycle_s", 86_400, "seconds, 0 for every change")?.unwrap_or(0);
    Ok(rule)
}
