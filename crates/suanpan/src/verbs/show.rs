//! `show`: everything about one job.

use super::{Context, follow, ps, site_script};
use crate::cli::Show;
use crate::client::{Client, LONG_PATIENCE};
use crate::exit;
use crate::failure::{Failure, Outcome};
use crate::output::table::{Align, Rows, Tone, toned};
use crate::output::{Form, Output, format};
use serde_json::Value;
use suanpan_wire::v1::{Attempt, Envelope, JobDetail, JobEvent, Time};

/// Does it.
pub fn run(context: &Context<'_>, args: &Show) -> Outcome {
    let client = context.client()?;
    if args.script {
        return script(context, &client.job_with_launch(&args.job)?);
    }
    if args.site_script {
        let detail = client.job_with_launch(&args.job)?;
        let launch = detail.launch.as_ref().map(|launch| &launch["payload"]["script"]);
        let Some(text) = launch.and_then(Value::as_str) else {
            return Err(Failure::other(format!("job {} has no script", args.job))
                .hint("a command is given to Slurm under the same supervisor"));
        };
        return site_script::print(context.output, text);
    }
    if args.follow {
        return follow_events(context, &client.patient(LONG_PATIENCE), &args.job);
    }
    match context.output.form {
        Form::Json => {
            let detail = client.job_with_launch(&args.job)?;
            context.output.json("job", None, &detail)?;
        }
        Form::Ids => context.output.line(client.job(&args.job)?.job.id.to_string())?,
        Form::Text => {
            let detail = client.job(&args.job)?;
            print(context.output, &args.job, &detail)?;
        }
    }
    Ok(exit::OK)
}

/// Prints what happened to the job and what happens, event by event, until it is over.
fn follow_events(context: &Context<'_>, client: &Client, id: &str) -> Outcome {
    let output = context.output;
    let mut last_id: Option<String> = None;
    loop {
        let mut events = client.job_events(id, last_id.as_deref())?;
        // A stream that breaks off is taken up again after the last event seen.
        while let Ok(Some(message)) = events.next() {
            if message.name == "end" {
                return Ok(exit::OK);
            }
            let event: JobEvent = serde_json::from_str(&message.data).map_err(|error| {
                Failure::other(format!("an event of job {id} is not understood: {error}"))
            })?;
            match output.form {
                Form::Json => {
                    let envelope = Envelope::of("job_event", Some(event.seq), &event);
                    output.line(serde_json::to_string(&envelope).expect("events are JSON"))?;
                }
                Form::Ids => output.line(event.job.to_string())?,
                Form::Text => output.line(event_line(&event))?,
            }
            last_id = Some(message.id);
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
}

fn event_line(event: &JobEvent) -> String {
    let task = event.index.map_or_else(String::new, |index| format!("[{index}] "));
    format!("{}  {task}{}", format::time(event.at), event.text)
}

/// Prints what is run: a script as it is, a command as a shell would read it.
fn script(context: &Context<'_>, detail: &JobDetail) -> Outcome {
    let payload = detail.launch.as_ref().map(|launch| &launch["payload"]);
    let Some(payload) = payload else {
        return Err(Failure::other(format!("what job {} runs is not known", detail.job.id)));
    };
    match (&payload["script"], &payload["command"]) {
        (Value::String(text), _) => context.output.text(text)?,
        (_, Value::Array(words)) => {
            let words = words.iter().filter_map(Value::as_str).map(quoted);
            context.output.line(words.collect::<Vec<_>>().join(" "))?;
        }
        _ => {
            return Err(Failure::other(
                "what the job runs is in a form this version does not know",
            ));
        }
    }
    Ok(exit::OK)
}

/// A word as a shell reads it back.
fn quoted(word: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./=:,+@%".contains(&b);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Facts as two columns.
#[derive(Default)]
pub(super) struct Facts(Vec<(&'static str, String)>);

impl Facts {
    pub(super) fn add(&mut self, name: &'static str, value: impl Into<String>) {
        self.0.push((name, value.into()));
    }

    pub(super) fn maybe(&mut self, name: &'static str, value: Option<impl Into<String>>) {
        self.0.extend(value.map(|value| (name, value.into())));
    }

    pub(super) fn list(&mut self, name: &'static str, values: &[String]) {
        if !values.is_empty() {
            self.add(name, values.join(", "));
        }
    }

    pub(super) fn print(self, output: &Output) -> Result<(), Failure> {
        let widest = self.0.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in self.0 {
            output.line(format!("{}  {value}", output.faint(&format!("{name:widest$}"))))?;
        }
        Ok(())
    }
}

fn print(output: &Output, id: &str, detail: &JobDetail) -> Result<(), Failure> {
    let job = &detail.job;
    output.line(output.bold(&format!("Job {id}: {}", job.name)))?;
    let mut facts = Facts::default();
    state(&mut facts, detail);
    asked(&mut facts, detail);
    times(&mut facts, detail);
    facts.add("charged", format::money_named(&job.charged));
    facts.print(output)?;
    if !detail.attempts.is_empty() {
        output.line("")?;
        attempts(output, &detail.attempts)?;
    }
    if !detail.events.is_empty() {
        output.line("")?;
        for event in &detail.events {
            output.line(event_line(event))?;
        }
    }
    Ok(())
}

fn state(facts: &mut Facts, detail: &JobDetail) {
    let job = &detail.job;
    let state = follow::state_of(detail);
    let mut text = format!("{} ({})", state.name(), state.short());
    if let Some(reason) = &job.reason {
        text.push_str(&format!(", reason {reason}"));
    }
    facts.add("state", text);
    if state.is_terminal() {
        facts.add("exit code", exit::of_job(detail).to_string());
    }
    if let Some(array) = &job.array {
        let tasks = format!("{} of {}: {}", array.indexes, array.tasks, ps::tasks(array));
        facts.add("tasks", tasks);
    }
    facts.add("user, project", format!("{}, {}", job.user, job.project));
    if job.restarts > 0 {
        facts.add("restarts", job.restarts.to_string());
    }
}

fn asked(facts: &mut Facts, detail: &JobDetail) {
    let job = &detail.job;
    let nodes = format::counted(u64::from(job.nodes), "node");
    facts.add("asks", format!("{nodes}, each {}", format::per_node(&job.per_node)));
    facts.maybe("time limit", job.time_limit_s.map(format::clock));
    facts.list("sites", &detail.sites);
    facts.list("partitions", &detail.partitions);
    facts.list("flavors", &detail.flavors);
    facts.add("goal", &detail.goal);
    facts.maybe("budget", detail.budget.as_ref().map(format::money_named));
    facts.maybe("dependency", detail.dependency.clone());
    facts.maybe("begin", detail.begin_at.map(format::time_full));
    facts.maybe("deadline", detail.deadline_at.map(format::time_full));
    facts.maybe("QOS", detail.qos.clone());
    if detail.nice != 0 {
        facts.add("nice", detail.nice.to_string());
    }
    if detail.held {
        facts.add("held", "by its user");
    }
    facts.add("after a failure", if detail.requeue { "started again" } else { "not repeated" });
}

fn times(facts: &mut Facts, detail: &JobDetail) {
    let job = &detail.job;
    facts.add("submitted", format::time_full(job.submitted_at));
    facts.maybe("started", job.started_at.map(format::time_full));
    facts.maybe("ended", job.ended_at.map(format::time_full));
}

fn attempts(output: &Output, attempts: &[Attempt]) -> Result<(), Failure> {
    let heads = [
        ("ATTEMPT", Align::Right),
        ("TASK", Align::Right),
        ("STATE", Align::Left),
        ("SITE", Align::Left),
        ("FLAVOR", Align::Left),
        ("NODES", Align::Left),
        ("STARTED", Align::Left),
        ("RAN", Align::Right),
        ("FORETOLD", Align::Right),
        ("CPU", Align::Right),
        ("MEMORY", Align::Right),
        ("COST", Align::Right),
        ("END", Align::Left),
    ];
    let mut rows = Rows::new(output, &heads);
    for attempt in attempts {
        let used = attempt.ending.as_ref().map(|ending| ending.used);
        let nothing = || format::NOTHING.to_owned();
        let ran = used.map_or_else(|| running(attempt.started_at), |u| format::measured(u.wall_s));
        let cpu = used.map_or_else(nothing, |used| format::measured(used.cpu_s));
        let memory = used.map_or_else(nothing, |used| format::bytes(used.memory_peak_bytes));
        rows.row([
            attempt.number.to_string().into(),
            attempt.index.map_or_else(nothing, |index| index.to_string()).into(),
            toned(attempt.state.name(), Tone::of(attempt.state)),
            (&attempt.site).into(),
            (&attempt.flavor).into(),
            ps::node_list(&attempt.node_names).into(),
            format::maybe_time(attempt.started_at).into(),
            ran.into(),
            format::length(attempt.foretold.run_s).into(),
            cpu.into(),
            memory.into(),
            attempt.charged.as_ref().map_or_else(nothing, format::money).into(),
            ending(attempt).into(),
        ]);
    }
    rows.print(output)
}

fn running(started: Option<Time>) -> String {
    started.map_or_else(
        || format::NOTHING.to_owned(),
        |started| format::length(format::seconds_between(started, format::now())),
    )
}

/// How an attempt ended, in words.
pub fn ending(attempt: &Attempt) -> String {
    let way = attempt.preempted_by.map(|by| format!("preempted by job {by}"));
    let Some(ending) = &attempt.ending else {
        let waits = attempt.site_reason.as_ref().map(|reason| format!("waits there: {reason}"));
        return way.or(waits).unwrap_or_else(|| format::NOTHING.to_owned());
    };
    let mut text = match (ending.exit_code, ending.signal) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => ending.kind.replace('_', " "),
    };
    if let Some(way) = way {
        text.push_str(&format!(", {way}"));
    }
    if !ending.payload_started {
        text.push_str(", never started");
    }
    if !ending.message.is_empty() {
        text.push_str(&format!(": {}", ending.message));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("--epochs=20"), "--epochs=20");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
