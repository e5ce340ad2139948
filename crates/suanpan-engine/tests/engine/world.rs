//! A small world around the engine for tests: a clock that only moves when told, clusters whose
//! agents report what the script says, and the shipped scheduler.
//!
//! Lines of a script: `# comment`, a command, or `> output` (replaced by what the command before
//! it prints). Commands are listed in [`World::command`].

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use suanpan_engine::command::{
    AddSite, Caller, Command, CommitPlan, DrainNodes, EndReservation, IdempotencyKey, InviteSite,
    JoinSite, LinkChange, NodeChoice, PinDataset, Present, RecordReplicas, RegisterDataset,
    ReserveNodes, SubmitJobs, Target, TokenHash, UndrainNodes,
};
use suanpan_engine::event::{Event, Then};
use suanpan_engine::sequencer::{Record, Reply, Sequencer};
use suanpan_engine::state::{Lineage, Pin, Size, State};
use suanpan_model::dataset::DatasetRef;
use suanpan_model::id::{BlobHash, ClusterId, DatasetId, JobId};
use suanpan_model::job::{
    ArraySites, End, Hold, InputNeed, JobSpec, OnInvalidDependency, PayloadReach, Requeue, Shape,
    TaskRef, Usage,
};
use suanpan_model::memory::Mebibytes;
use suanpan_model::money::{MicroCredits, Price};
use suanpan_model::network::{LinkEstimate, Origin};
use suanpan_model::site::{DriverKind, Flavor, Inventory, Node, Partition};
use suanpan_model::time::{Seconds, Timestamp};
use suanpan_model::tres::Tres;
use suanpan_sched::order::multifactor::Weights;
use suanpan_sched::order::priority::{Entitlement, PriorityPolicy, Qos, UserShare};
use suanpan_sched::plan::Plan;
use suanpan_sched::policy::Policy;
use suanpan_sched::quota::Quota;
use suanpan_sched::quota::book::Entry;
use suanpan_sched::quota::policy::{CohortQuota, FlavorQuota, ProjectQuota, QuotaPolicy};
use suanpan_sched::quota::preemption::{Reclaim, Rules, Sharing};
use suanpan_sched::snapshot::{Contact, Snapshot};
use suanpan_site::report::{Fact, Outcome, Report};

/// Runs a script and returns it with the output it really prints.
pub fn run(text: &str) -> String {
    let mut world = World::default();
    let mut out = String::new();
    for line in text.lines().filter(|line| !line.starts_with("> ")) {
        writeln!(out, "{line}").expect("strings grow");
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        for printed in world.command(line) {
            writeln!(out, "> {printed}").expect("strings grow");
        }
        world.audit();
    }
    out
}

/// The stored records of all scenarios whose file name contains `part`, run one after the other in
/// one world.
pub fn journal_of_scenarios(part: &str) -> String {
    let mut world = World::default();
    let all = crate::scenarios::scenario_files().into_iter();
    for path in all.filter(|path| path.to_string_lossy().contains(part)) {
        let text = std::fs::read_to_string(path).expect("scenario files are UTF-8");
        for line in text.lines().filter(|line| !line.starts_with("> ") && !line.starts_with('#')) {
            if !line.trim().is_empty() {
                world.command(line);
            }
        }
    }
    let stored = world.records.iter().map(|r| String::from_utf8(r.encode()).expect("JSON"));
    stored.map(|line| line + "\n").collect()
}

/// The first line where two texts part.
pub fn difference(expected: &str, printed: &str) -> String {
    let mut other = printed.lines();
    for (number, line) in expected.lines().enumerate() {
        let got = other.next().unwrap_or("(end)");
        if got != line {
            return format!("line {}: expected `{line}`, got `{got}`", number + 1);
        }
    }
    format!("more lines: `{}`", other.next().unwrap_or(""))
}

/// The engine, its scheduler's snapshot, and the journal so far.
pub struct World {
    sequencer: Sequencer,
    snapshot: Snapshot,
    records: Vec<Record>,
    now: Timestamp,
    keys: u64,
}

impl Default for World {
    fn default() -> Self {
        World {
            sequencer: Sequencer::new(State::default(), 0, 1),
            snapshot: Snapshot::default(),
            records: Vec::new(),
            now: Timestamp(1_000_000),
            keys: 0,
        }
    }
}

type Words = BTreeMap<String, String>;

impl World {
    /// Runs one line and returns what it prints.
    fn command(&mut self, line: &str) -> Vec<String> {
        let mut words = line.split_whitespace();
        let verb = words.next().expect("the line is not empty");
        let mut plain = Vec::new();
        let mut named = Words::new();
        for word in words {
            match word.split_once('=') {
                Some((key, value)) => {
                    named.insert(key.to_owned(), value.to_owned());
                }
                None => plain.push(word.to_owned()),
            }
        }
        match verb {
            "site" => self.site(&plain[0], &named),
            "invite" | "join" | "approve" | "revoke" | "inventory" => {
                self.membership(verb, &plain, &named)
            }
            "submit" => self.submit(&named),
            "again" => self.submit_with(self.keys, &named),
            "wait" => {
                self.now = self.now.plus(Seconds(plain[0].parse().expect("wait SECONDS")));
                self.ask(Caller::System, Command::PassTime)
            }
            "plan" => self.plan(),
            "report" => self.report(&plain, &named),
            "cancel" => self.ask(user(&named), Command::CancelJob(target(&plain[0]))),
            "hold" => self.ask(user(&named), Command::HoldJob(target(&plain[0]))),
            "release" => self.ask(user(&named), Command::ReleaseJob(target(&plain[0]))),
            "requeue" => self.ask(user(&named), Command::RequeueJob(target(&plain[0]))),
            "drain" | "undrain" | "reserve" | "end-reservation" => self.close(verb, &plain, &named),
            "priorities" => self.priorities(&named),
            "quotas" => self.quotas(&plain, &named),
            "dataset" | "output" | "remove-dataset" | "pin" | "unpin" | "replica" => {
                self.dataset(verb, &plain, &named)
            }
            "data" => self.data(&plain[0]),
            "link" => self.link(&plain),
            "queue" => self.queue(),
            "why" => self.why(&plain[0]),
            "silent" => {
                let (cluster, silent) =
                    (ClusterId(plain[0].parse().expect("a number")), Seconds(60));
                let mut told =
                    self.ask(Caller::System, Command::RecordContact(cluster, Contact::Silent));
                told.extend(self.ask(Caller::System, Command::WithdrawQueued(cluster, silent)));
                told
            }
            "orders" => self.orders(),
            "balance" => self.balance(),
            other => panic!("unknown scenario command `{other}`"),
        }
    }

    /// Every invariant, and that recovery gives the same state and the same snapshot.
    fn audit(&mut self) {
        let state = self.sequencer.state();
        state.check();
        assert_eq!(self.snapshot, state.snapshot(), "the changes fold to the snapshot");
        let mut replayed = State::default();
        for record in &self.records {
            let read = Record::decode(record.seq, &record.encode()).expect("records are readable");
            read.events.iter().for_each(|event| replayed.apply(read.at, event));
        }
        let bytes = state.encode_checkpoint();
        assert_eq!(replayed.encode_checkpoint(), bytes, "recovery folds to the same state");
        let restored = State::decode_checkpoint(&bytes).expect("checkpoints are readable");
        restored.check();
        assert_eq!(restored.encode_checkpoint(), bytes, "a checkpoint gives the state back");
    }

    fn handle(&mut self, caller: Caller, command: Command) -> Result<Reply, String> {
        let (record, reply) = self.sequencer.handle(self.now, caller, command);
        self.records.extend(record);
        for change in self.sequencer.state_mut().take_changes() {
            self.snapshot.apply(change);
        }
        reply.map_err(|rejection| format!("rejected {}: {rejection}", rejection.code()))
    }

    fn ask(&mut self, caller: Caller, command: Command) -> Vec<String> {
        let before = self.records.len();
        match self.handle(caller, command) {
            Err(rejection) => vec![rejection],
            Ok(_) => self.records[before..].iter().flat_map(|r| &r.events).map(told).collect(),
        }
    }

    fn site(&mut self, name: &str, words: &Words) -> Vec<String> {
        let token = TokenHash(BlobHash([self.records.len() as u8; 32]));
        let add = Command::AddSite(AddSite { cluster: name.to_owned(), token });
        let Ok(Reply::Cluster(cluster)) = self.handle(Caller::System, add) else {
            return vec!["rejected".into()];
        };
        let inventory = Command::RecordInventory(Arc::new(inventory(name, words)));
        self.ask(Caller::Agent(cluster), inventory)
    }

    /// `invite NAME token=N [valid=S]`, `join NAME token=N as=N` (the agent's own token),
    /// `approve CLUSTER`, `revoke CLUSTER`, `inventory CLUSTER NAME [nodes=N] ...` (its agent's).
    fn membership(&mut self, verb: &str, plain: &[String], words: &Words) -> Vec<String> {
        let token = |key: &str| {
            let number = words.get(key).map_or(0, |text| text.parse().expect("a token's number"));
            TokenHash(BlobHash([number; 32]))
        };
        let id = || ClusterId(plain[0].parse().expect("a cluster's number"));
        let cluster = plain[0].clone();
        let valid = words.get("valid").map_or(3_600, |text| text.parse().expect("valid=SECONDS"));
        let (caller, command) = match verb {
            "invite" => {
                let invite = InviteSite { cluster, token: token("token"), valid: Seconds(valid) };
                (user(words), Command::InviteSite(invite))
            }
            "join" => {
                let (invitation, token) = (token("token"), token("as"));
                (Caller::Invited, Command::JoinSite(JoinSite { invitation, cluster, token }))
            }
            "approve" => (user(words), Command::ApproveSite(id())),
            "revoke" => (user(words), Command::RevokeSite(id())),
            _ => {
                let inventory = Arc::new(inventory(&plain[1], words));
                (Caller::Agent(id()), Command::RecordInventory(inventory))
            }
        };
        self.ask(caller, command)
    }

    /// `link FROM TO gone` or `link FROM TO MILLISECONDS MBIT`: what is believed of a link.
    fn link(&mut self, plain: &[String]) -> Vec<String> {
        let number = |index: usize| plain[index].parse::<u32>().expect("a number");
        let estimate = (plain[2] != "gone").then(|| LinkEstimate {
            round_trip_us: number(2) * 1000,
            round_trip_p99_us: number(2) * 1000,
            loss_ppm: 0,
            throughput_bps: u64::from(number(3)) * 1_000_000,
            delay_from: Origin::Measured,
            throughput_from: Origin::Measured,
            at: self.now,
        });
        let change = LinkChange { from: plain[0].clone(), to: plain[1].clone(), estimate };
        self.ask(Caller::System, Command::RecordEstimates(vec![change]))
    }

    /// `drain CLUSTER NODES|all [from=S] [until=S] [reason=WORD]`, `undrain CLUSTER NODES|all`,
    /// `reserve CLUSTER NODES|all name=NAME from=S until=S [users=A,B] [projects=P]`,
    /// `end-reservation CLUSTER NAME`; times in seconds from now.
    fn close(&mut self, verb: &str, plain: &[String], words: &Words) -> Vec<String> {
        let cluster = ClusterId(plain[0].parse().expect("a cluster's number"));
        let after = |key: &str| {
            let seconds = words.get(key).map(|text| text.parse().expect("seconds"));
            seconds.map(|seconds| self.now.plus(Seconds(seconds)))
        };
        let list = |key: &str| {
            words.get(key).map_or(Vec::new(), |text| text.split(',').map(str::to_owned).collect())
        };
        let word = |key: &str| words.get(key).cloned().unwrap_or_default();
        let nodes = match plain.get(1).map(String::as_str) {
            Some("all") => NodeChoice::All,
            Some(names) => NodeChoice::Named(names.split(',').map(str::to_owned).collect()),
            None => NodeChoice::Named(Vec::new()),
        };
        let (from, until) = (after("from"), after("until"));
        let command = match verb {
            "drain" => {
                let reason = word("reason");
                Command::DrainNodes(DrainNodes { cluster, nodes, from, until, reason })
            }
            "undrain" => Command::UndrainNodes(UndrainNodes { cluster, nodes }),
            "reserve" => Command::ReserveNodes(ReserveNodes {
                cluster,
                name: word("name"),
                nodes,
                from: from.unwrap_or(self.now),
                until: until.unwrap_or(self.now),
                users: list("users"),
                projects: list("projects"),
            }),
            _ => Command::EndReservation(EndReservation { cluster, name: plain[1].clone() }),
        };
        let caller = if words.contains_key("user") { user(words) } else { Caller::System };
        self.ask(caller, command)
    }

    /// `priorities off=yes`, or `priorities [age=W] [fair=W] [size=W] [qos=W] [every=S]
    /// [projects=NAME:SHARES,..] [qoses=NAME:PRIORITY[:PREEMPTS[:GRACE]],..]`.
    fn priorities(&mut self, words: &Words) -> Vec<String> {
        let weight = |key: &str| words.get(key).map_or(0, |text| text.parse().expect("a weight"));
        let list = |key: &str| {
            let text = words.get(key).map_or("", String::as_str);
            let some = text.split(',').filter(|item| !item.is_empty());
            some.map(|item| item.split(':').map(str::to_owned).collect()).collect::<Vec<Vec<_>>>()
        };
        let mut policy = PriorityPolicy { half_life: None, ..PriorityPolicy::default() };
        policy.weights = Weights {
            age: weight("age"),
            fair_share: weight("fair"),
            job_size: weight("size"),
            qos: weight("qos"),
            ..Weights::default()
        };
        policy.every = Seconds(weight("every").max(1).into());
        policy.age_max = Seconds(1_000);
        for one in list("projects") {
            let shares = one[1].parse().expect("shares");
            let entitlement = Entitlement { shares, ..Entitlement::default() };
            policy.shares.insert(one[0].clone(), entitlement);
        }
        for one in list("qoses") {
            let priority = one[1].parse().expect("a priority");
            let preempts = one.get(2).filter(|name| !name.is_empty()).cloned();
            let preempts = preempts.into_iter().collect();
            let grace = one.get(3).filter(|text| !text.is_empty());
            let grace = Seconds(grace.map_or(0, |text| text.parse().expect("a grace")));
            let users = one.get(4).cloned().into_iter().collect();
            let qos = Qos { priority, preempts, grace, users, ..Qos::default() };
            policy.qos.insert(one[0].clone(), qos);
        }
        let policy = (!words.contains_key("off")).then(|| Box::new(policy));
        let caller = if words.contains_key("user") { user(words) } else { Caller::System };
        self.ask(caller, Command::SetPriorities(policy))
    }

    /// `quotas off`, or `quotas [fair=yes] [cohorts=NAME[:PARENT],..]
    /// projects=NAME:COHORT:FLAVOR:CPUS[:BORROW[:LEND[:RECLAIM]]],..`; `quotas` prints them.
    fn quotas(&mut self, plain: &[String], words: &Words) -> Vec<String> {
        if plain.is_empty() && words.is_empty() {
            let Some(book) = self.sequencer.state().quotas() else { return vec!["none".into()] };
            let line = |one: Entry| {
                let Entry { name, flavor, used, borrowed, lendable, available, .. } = one;
                let nominal = one.quota.nominal;
                format!(
                    "{name} {flavor}: {used} of {nominal} used, {borrowed} borrowed, \
                     {lendable} to lend, {available} left"
                )
            };
            return book.entries().into_iter().map(line).collect();
        }
        let list = |key: &str| {
            let text = words.get(key).map_or("", String::as_str);
            let some = text.split(',').filter(|item| !item.is_empty());
            some.map(|item| item.split(':').map(str::to_owned).collect()).collect::<Vec<Vec<_>>>()
        };
        let given = |text: Option<&String>| text.filter(|text| !text.is_empty()).cloned();
        let mut policy = QuotaPolicy::default();
        if words.contains_key("fair") {
            policy.sharing = Sharing::Fair;
        }
        for one in list("cohorts") {
            let (parent, flavors) = (given(one.get(1)), BTreeMap::new());
            let cohort = CohortQuota { parent, weight_milli: 1_000, flavors };
            policy.cohorts.insert(one[0].clone(), cohort);
        }
        for one in list("projects") {
            let number = |place| given(one.get(place)).map(|text| text.parse().expect("CPUs"));
            let (borrowing_limit, lending_limit) = (number(4), number(5));
            let quota = Quota { nominal: number(3).unwrap_or(0), borrowing_limit, lending_limit };
            let quota = FlavorQuota { cpus: Some(quota), ..FlavorQuota::default() };
            let reclaim = if one.get(6).is_some() { Reclaim::Any } else { Reclaim::Never };
            let known = policy.projects.entry(one[0].clone());
            let project = known.or_insert_with(|| ProjectQuota {
                cohort: given(one.get(1)),
                weight_milli: 1_000,
                rules: Rules { reclaim, ..Rules::default() },
                flavors: BTreeMap::new(),
            });
            project.flavors.insert(one[2].clone(), quota);
        }
        let policy = (plain.is_empty()).then(|| Arc::new(policy));
        let caller = if words.contains_key("user") { user(words) } else { Caller::System };
        self.ask(caller, Command::SetQuotas(policy))
    }

    /// `dataset NAME content=BYTE bytes=N`, `output TASK NAME content=BYTE bytes=N`,
    /// `remove-dataset NAME[@V]`, `pin NAME[@V] SITE`, `unpin NAME[@V] SITE`,
    /// `replica CLUSTER|SITE content=BYTE bytes=N [stored=N]`: a name that is no number is the
    /// control plane's own place.
    fn dataset(&mut self, verb: &str, plain: &[String], words: &Words) -> Vec<String> {
        let number = |key: &str| words.get(key).map(|text| text.parse::<u64>().expect("a number"));
        let manifest = || BlobHash([number("content").expect("content=BYTE") as u8; 32]);
        let bytes = number("bytes").unwrap_or(0);
        let register = |name: &str, made_by| {
            Command::RegisterDataset(RegisterDataset {
                name: name.parse().expect("a dataset's name"),
                manifest: manifest(),
                size: Size { bytes, files: 1, chunks: 1 },
                project: "default".into(),
                made_by,
            })
        };
        let (caller, command) = match verb {
            "dataset" => (user(words), register(&plain[0], None)),
            "output" => {
                let task = task(&plain[0]);
                let state = self.sequencer.state();
                let Some(job) = state.job(task.job) else { return vec!["no such job".into()] };
                let Some((_, id)) = job.tasks.placed().next() else {
                    return vec!["not placed".into()];
                };
                let cluster = state.allocation(id).expect("placed tasks are live").placed.cluster;
                (Caller::Agent(cluster), register(&plain[1], Some(id)))
            }
            "replica" => {
                let present = vec![Present { manifest: manifest(), bytes }];
                let cluster = plain[0].parse().ok().map(ClusterId);
                let site = cluster.is_none().then(|| plain[0].clone());
                let caller = cluster.map_or(Caller::System, Caller::Agent);
                let stored = number("stored");
                (caller, Command::RecordReplicas(RecordReplicas { site, present, stored }))
            }
            _ => {
                let dataset = match self.version(&plain[0]) {
                    Some(id) => id,
                    None => return vec!["no such dataset".into()],
                };
                let pin = |pin| {
                    let site = plain.get(1).expect("pin NAME SITE").clone();
                    Command::PinDataset(PinDataset { dataset, site, pin })
                };
                let command = match verb {
                    "pin" => pin(Pin::Set),
                    "unpin" => pin(Pin::Lifted),
                    _ => Command::RemoveDataset(dataset),
                };
                (user(words), command)
            }
        };
        let before = self.records.len();
        match self.handle(caller, command) {
            Err(rejection) => vec![rejection],
            Ok(Reply::Dataset(id, version)) if self.records.len() == before => {
                vec![format!("dataset {id} is version {version} already")]
            }
            Ok(_) => self.records[before..].iter().flat_map(|r| &r.events).map(told).collect(),
        }
    }

    fn version(&self, text: &str) -> Option<DatasetId> {
        let named: DatasetRef = text.parse().expect("NAME[@V]");
        let datasets = self.sequencer.state().datasets();
        datasets.find(&named.name, named.version).map(|one| one.id)
    }

    /// `data CLUSTER`: what its agent should do.
    fn data(&self, cluster: &str) -> Vec<String> {
        let cluster = ClusterId(cluster.parse().expect("a cluster's number"));
        let data = self.sequencer.state().site_data(cluster);
        let hold = data.hold.iter().map(|(manifest, staged)| {
            let staged: Vec<String> = staged.iter().map(|id| format!(" for {id}")).collect();
            format!("hold {}{}", manifest.0[0], staged.concat())
        });
        let weigh = data.weigh.iter().map(|manifest| format!("weigh {}", manifest.0[0]));
        let evict = data.evict.iter().map(|manifest| format!("evict {}", manifest.0[0]));
        hold.chain(weigh).chain(evict).collect()
    }

    /// Waiting jobs in the order in which they are considered, with their priority.
    fn queue(&self) -> Vec<String> {
        let pending = self.snapshot.pending.values();
        pending.map(|one| format!("job {} priority {}", one.job, one.priority)).collect()
    }

    fn submit(&mut self, words: &Words) -> Vec<String> {
        self.keys += 1;
        self.submit_with(self.keys, words)
    }

    fn submit_with(&mut self, key: u64, words: &Words) -> Vec<String> {
        let mut spec = spec(words, self.now);
        if let Some(name) = words.get("inputs") {
            let id = self.version(name).unwrap_or(DatasetId(99));
            let known = self.sequencer.state().datasets().get(id);
            let bytes = known
                .and_then(|one| self.sequencer.state().datasets().content(one.manifest))
                .map_or(0, |content| content.size.bytes);
            let input = InputNeed { at: None, bytes, dataset: Some(id) };
            Arc::make_mut(&mut spec.shape).inputs.push(input);
        }
        let body = serde_json::to_vec(&spec).expect("specs are plain data");
        let body = u64::from_le_bytes(
            blake3::hash(&body).as_bytes()[..8].try_into().expect("eight bytes are eight bytes"),
        );
        let key = IdempotencyKey { key: key.into(), body };
        let submit = Command::SubmitJobs(SubmitJobs { key, jobs: vec![spec] });
        match self.handle(user(words), submit) {
            Ok(Reply::Jobs(ids)) => ids.iter().map(|id| format!("job {id}")).collect(),
            Ok(other) => vec![format!("{other:?}")],
            Err(rejection) => vec![rejection],
        }
    }

    fn plan(&mut self) -> Vec<String> {
        let plan = suanpan_sched::plan::plan(&self.snapshot, self.now, &Policy::default());
        if plan.placements.is_empty() && plan.preemptions.is_empty() {
            let mut reasons: Vec<String> =
                plan.waiting.values().map(|one| format!("{:?}", one.reason)).collect();
            reasons.sort();
            reasons.dedup();
            let waiting = match reasons.is_empty() {
                true => String::new(),
                false => format!(": {}", reasons.join(", ")),
            };
            return vec![format!("nothing starts{waiting}")];
        }
        let Plan { explanations, placements, preemptions, .. } = plan;
        let commit = CommitPlan { explanations, placements, preemptions };
        self.ask(Caller::System, Command::CommitPlan(commit))
    }

    /// `report TASK started|staging|refused|exit=N|lost|lost-before-start|killed [wall=S]`
    fn report(&mut self, plain: &[String], words: &Words) -> Vec<String> {
        let task = task(&plain[0]);
        let state = self.sequencer.state();
        let Some(job) = state.job(task.job) else { return vec!["no such job".into()] };
        let position = task.index.and_then(|index| job.position_of(index)).unwrap_or(0);
        let found = job.tasks.placed().find(|(at, _)| *at == position);
        let Some((_, id)) = found else { return vec!["not placed".into()] };
        let (cluster, generation) = {
            let live = state.allocation(id).expect("placed tasks are allocated");
            (live.placed.cluster, live.generation)
        };
        let fact = fact(plain.get(1).map(String::as_str), words);
        let report = Report { allocation: id, generation, at: self.now, fact };
        self.ask(Caller::Agent(cluster), Command::RecordReports(vec![report.clone(), report]))
    }

    fn why(&self, text: &str) -> Vec<String> {
        use suanpan_engine::explain::Explained;
        let said = match self.sequencer.state().explain(self.now, task(text)) {
            Explained::Unknown => "unknown".into(),
            Explained::Finished(state) => format!("finished {}", state.name()),
            Explained::Placed(ids) => format!("placed as {ids:?}"),
            Explained::Blocked { reason, detail, .. } => format!("{reason:?} {detail}"),
            Explained::Eligible { .. } => "eligible".into(),
        };
        vec![said.trim_end().to_owned()]
    }

    fn orders(&self) -> Vec<String> {
        let state = self.sequencer.state();
        let all = state.clusters().flat_map(|(cluster, _)| {
            state.orders(cluster).map(move |order| {
                let what = match order.desired {
                    suanpan_site::order::Desired::Run(run) => {
                        let warned = if run.stop_at.is_some() { ", warned" } else { "" };
                        format!("run job {} on {}{warned}", run.job, run.nodes.join(","))
                    }
                    suanpan_site::order::Desired::Stop(reason) => format!("stop {reason:?}"),
                };
                format!(
                    "{cluster}: allocation {} generation {} {what}",
                    order.allocation, order.generation
                )
            })
        });
        all.collect()
    }

    fn balance(&self) -> Vec<String> {
        let accounts = self.sequencer.state().ledger().accounts();
        accounts
            .map(|(id, account)| {
                let pending = MicroCredits(account.debits_pending + account.credits_pending);
                format!("{id:?} balance {} pending {pending}", account.balance())
            })
            .collect()
    }
}

#[expect(clippy::too_many_lines, reason = "a table, one row for each event")]
fn told(event: &Event) -> String {
    match event {
        Event::PlanCommitted { allocations, .. } => allocations
            .iter()
            .map(|placed| {
                let task = TaskRef { job: placed.job, index: placed.index };
                let nodes = placed.node_names.join(",");
                format!(
                    "{task} starts as allocation {} on {nodes} at most {}",
                    placed.id, placed.prediction.cost
                )
            })
            .collect::<Vec<_>>()
            .join("\n> "),
        Event::AllocationEnded { allocation, charge, then, .. } => match then {
            Then::Over(state) => {
                format!("allocation {allocation} over: {} charge {charge}", state.name())
            }
            Then::Requeued => format!("allocation {allocation} over: requeued charge {charge}"),
        },
        Event::AllocationStarted { allocation, .. } => format!("allocation {allocation} started"),
        Event::AllocationStaging { allocation, .. } => format!("allocation {allocation} staging"),
        Event::AllocationRefused { allocation, reason } => {
            format!("allocation {allocation} refused: {reason}")
        }
        Event::ArraysUnbound { cluster } => format!("arrays at cluster {cluster} may go elsewhere"),
        Event::RefusalsForgotten { job } => format!("refusals of job {job} forgotten"),
        Event::AllocationPreempted { allocation, by, stop_at } => {
            let seconds = stop_at.0 / 1_000_000;
            format!("allocation {allocation} will be stopped at {seconds} s for job {by}")
        }
        Event::AllocationStopping { allocation, generation, reason, by } => {
            let by = by.map_or(String::new(), |job| format!(" for job {job}"));
            format!("allocation {allocation} generation {generation} stopping: {reason:?}{by}")
        }
        Event::TasksEnded { job, positions, state } => {
            let which = if positions.is_empty() {
                String::new()
            } else {
                format!(" positions {positions}")
            };
            format!("job {job}{which} ended: {}", state.name())
        }
        Event::SiteInvited { cluster, name, expires, .. } => {
            format!("cluster {cluster} invited as {name} until {} s", expires.0 / 1_000_000)
        }
        Event::SiteJoined { cluster, .. } => format!("cluster {cluster} joined"),
        Event::SiteApproved { cluster } => format!("cluster {cluster} approved"),
        Event::SiteRevoked { cluster } => format!("cluster {cluster} revoked"),
        Event::JobHeld { job } => format!("job {job} held"),
        Event::JobReleased { job } => format!("job {job} released"),
        Event::InventoryRecorded { cluster, .. } => format!("cluster {cluster} inventory"),
        Event::ContactChanged { cluster, contact } => format!("cluster {cluster} {contact:?}"),
        Event::PrioritiesSet { policy: None } => "jobs go by submission".into(),
        Event::PrioritiesSet { policy: Some(policy) } => {
            format!("jobs go by priority, anew every {} s", policy.every.0)
        }
        Event::EstimatesRecorded { links } => {
            let words = |link: &LinkChange| match &link.estimate {
                None => format!("{}-{} unknown", link.from, link.to),
                Some(known) => format!(
                    "{}-{} {} ms {} Mbit/s",
                    link.from,
                    link.to,
                    known.round_trip_us / 1000,
                    known.throughput_bps / 1_000_000
                ),
            };
            let links: Vec<String> = links.iter().map(words).collect();
            format!("links {}", links.join(", "))
        }
        Event::QuotasSet { policy: None } => "no quotas".into(),
        Event::QuotasSet { policy: Some(policy) } => {
            format!("quotas of {} projects", policy.projects.len())
        }
        Event::JobsPrioritized { shares } => {
            let share = |one: &UserShare| {
                format!("{}/{} {}", one.project, one.user, one.factor.billionths() / 1_000)
            };
            let shares: Vec<String> = shares.iter().map(share).collect();
            format!("shares {}", shares.join(", "))
        }
        Event::NodesClosed { cluster, closure, .. } => {
            let nodes = closure.nodes.join(",");
            format!("cluster {cluster} {nodes} {} ({})", closure.words(), closure.id.0)
        }
        Event::NodesOpened { cluster, closure, nodes } => {
            format!("cluster {cluster} {} open again ({})", nodes.join(","), closure.0)
        }
        Event::DatasetRegistered { dataset, size } => {
            let made = |lineage: &Lineage| {
                format!(", made by job {} from [{}]", lineage.job, lineage.inputs.join(", "))
            };
            let made = dataset.lineage.as_ref().map_or(String::new(), made);
            format!("dataset {} is {dataset}, {} bytes{made}", dataset.id, size.bytes)
        }
        Event::DatasetRemoved { dataset } => format!("dataset {dataset} removed"),
        Event::DatasetPinned { dataset, site, pin } => {
            format!("dataset {dataset} at {site}: pin {pin:?}")
        }
        Event::ReplicasRecorded { site, present, .. } => {
            let each = present.iter().map(|one| format!(" {} of {}", one.bytes, one.manifest.0[0]));
            format!("{site} holds{}", each.collect::<String>())
        }
        Event::ReplicasEvicted { site, manifests } => {
            let each = manifests.iter().map(|manifest| format!(" {}", manifest.0[0]));
            format!("{site} lets go{}", each.collect::<String>())
        }
        other => format!("{other:?}"),
    }
}

fn fact(what: Option<&str>, words: &Words) -> Fact {
    let wall: u64 = words.get("wall").map_or(0, |wall| wall.parse().expect("wall=SECONDS"));
    let usage = Usage { wall_us: wall * 1_000_000, ..Usage::default() };
    let over = |end, payload| Fact::Ended(Outcome { end, payload, usage, message: String::new() });
    match (what, words.get("exit")) {
        (None, Some(code)) => {
            over(End::Exited { code: code.parse().expect("exit=CODE") }, PayloadReach::Started)
        }
        (Some("started"), _) => Fact::Started,
        (Some("staging"), _) => Fact::Staging,
        (Some("refused"), _) => Fact::Refused { reason: "drained".into() },
        (Some("lost"), _) => over(End::Lost, PayloadReach::Started),
        (Some("lost-before-start"), _) => over(End::Lost, PayloadReach::NeverStarted),
        (Some("killed"), _) => over(End::Cancelled, PayloadReach::Started),
        other => panic!("unknown fact {other:?}"),
    }
}

fn user(words: &Words) -> Caller {
    Caller::User(words.get("user").map_or("ada", String::as_str).to_owned())
}

fn task(text: &str) -> TaskRef {
    let (job, index) = match text.split_once('_') {
        Some((job, index)) => (job, Some(index.parse().expect("an array index"))),
        None => (text, None),
    };
    TaskRef { job: JobId(job.parse().expect("a job id")), index }
}

fn target(text: &str) -> Target {
    let task = task(text);
    Target { job: task.job, index: task.index }
}

fn spec(words: &Words, now: Timestamp) -> JobSpec {
    let get = |key: &str| words.get(key).map(String::as_str);
    let list = |key: &str| {
        get(key).map_or(Vec::new(), |text| text.split(',').map(str::to_owned).collect())
    };
    let seconds = |text: &str| Seconds(text.parse().expect("seconds"));
    let shape = Shape {
        nodes: get("nodes").map_or(1, |n| n.parse().expect("nodes=N")),
        per_node: Tres {
            cpus: get("cpus").map_or(1, |n| n.parse().expect("cpus=N")),
            memory: get("mem").unwrap_or("100").parse().expect("mem=SIZE"),
            gpus: 0,
        },
        sharing: Default::default(),
        time: Some(get("time").unwrap_or("10").parse().expect("time=WALLTIME")),
        partitions: list("partition"),
        sites: list("sites"),
        flavors: list("flavors"),
        features: list("features"),
        nodelist: list("nodelist"),
        exclude: list("exclude"),
        goal: match get("goal") {
            Some("fastest") => suanpan_model::job::Goal::Fastest,
            Some("cheapest") => suanpan_model::job::Goal::Cheapest,
            _ => suanpan_model::job::Goal::Balanced,
        },
        budget: get("budget").map(|text| MicroCredits::from_decimal(text).expect("budget=CREDITS")),
        inputs: Vec::new(),
        output_bytes: 0,
        paths: Vec::new(),
    };
    JobSpec {
        name: get("name").unwrap_or("job").to_owned(),
        user: get("user").unwrap_or("ada").to_owned(),
        project: get("project").unwrap_or("default").to_owned(),
        shape: Arc::new(shape),
        launch: BlobHash([7; 32]),
        array: get("array").map(|text| text.parse().expect("array=LIST")),
        dependency: get("after").map(|text| text.parse().expect("after=DEPENDENCY")),
        array_sites: match get("split") {
            Some("yes") => ArraySites::Any,
            _ => ArraySites::One,
        },
        on_invalid_dependency: match get("invalid") {
            Some("cancel") => OnInvalidDependency::Cancel,
            _ => OnInvalidDependency::Wait,
        },
        begin: get("begin").map(|text| now.plus(seconds(text))),
        deadline: get("deadline").map(|text| now.plus(seconds(text))),
        hold: if get("hold").is_some() { Hold::User } else { Hold::None },
        requeue: if get("requeue").is_some() { Requeue::OnFailure } else { Requeue::Never },
        qos: get("qos").map(str::to_owned),
        nice: get("nice").map_or(0, |text| text.parse().expect("nice=NUMBER")),
    }
}

/// `site NAME [quota=BYTES] [nodes=2] [cpus=4] [mem=8G] [price=0.36] [speed=1000] [driver=slurm]
/// [backlog=0]`:
/// one partition, one flavor.
pub fn inventory(name: &str, words: &Words) -> Inventory {
    let number = |key: &str, default: u32| {
        words.get(key).map_or(default, |text| text.parse().expect("a number"))
    };
    let memory: Mebibytes =
        words.get("mem").map_or("8G", String::as_str).parse().expect("mem=SIZE");
    let price = words.get("price").map_or("0.36", String::as_str);
    let capacity = Tres { cpus: number("cpus", 4), memory, gpus: 0 };
    let nodes: Vec<Node> = (1..=number("nodes", 2))
        .map(|n| Node {
            name: format!("{name}{n}"),
            flavor: 0,
            capacity,
            features: Vec::new(),
            outside: Tres::default(),
            releases: Vec::new(),
        })
        .collect();
    let limit = "1-00:00:00".parse().expect("a time limit");
    Inventory {
        site: name.to_owned(),
        cluster: name.to_owned(),
        driver: match words.get("driver").map(String::as_str) {
            Some("slurm") => DriverKind::Slurm,
            _ => DriverKind::Local,
        },
        zone: "UTC".into(),
        home: false,
        shared_paths: vec!["/".into()],
        flavors: vec![Flavor {
            name: format!("cpu-{name}"),
            speed_milli: number("speed", 1_000),
            price: Price {
                cpu_hour: MicroCredits::from_decimal(price).expect("price=CREDITS"),
                ..Price::default()
            },
        }],
        partitions: vec![Partition {
            name: "normal".into(),
            default: true,
            time_max: limit,
            time_default: limit,
            queue: Default::default(),
            nodes_max_per_job: 100,
            nodes: (0..nodes.len() as u32).collect(),
        }],
        nodes,
        links: Vec::new(),
        enforced: Vec::new(),
        peer: None,
        data_quota: words.get("quota").map(|text| text.parse().expect("bytes")),
        backlog: number("backlog", 0),
    }
}
