//! What the demo shows: a live table on a terminal, plain lines otherwise, and the last table.

use crate::failure::Failure;
use crate::output::table::{Align, Rows, Tone, toned};
use crate::output::{Output, format};
use crate::verbs::ps;
use std::collections::BTreeMap;
use std::time::Instant;
use suanpan_wire::v1::{Contact, Job, JobState, Site};

/// Live view of the network.
pub struct Screen<'a> {
    output: &'a Output,
    began: Instant,
    /// Lines of the live table that stand on the terminal now.
    drawn: usize,
    /// What was last said of each job, where there is no terminal.
    said: BTreeMap<u64, String>,
}

impl<'a> Screen<'a> {
    /// An empty screen.
    pub fn new(output: &'a Output) -> Screen<'a> {
        Screen { output, began: Instant::now(), drawn: 0, said: BTreeMap::new() }
    }

    /// Seconds since the beginning, as a line's head.
    fn clock(&self) -> String {
        format!("[{:5.1} s]", self.began.elapsed().as_secs_f64())
    }

    /// A line that stays.
    pub fn say(&mut self, text: &str) -> Result<(), Failure> {
        self.output.line(format!("{} {text}", self.output.faint(&self.clock())))
    }

    /// A line that stays, without the time.
    pub fn plain(&self, text: &str) -> Result<(), Failure> {
        self.output.line(text)
    }

    /// Shows how things stand.
    pub fn update(&mut self, sites: &[Site], jobs: &[Job]) -> Result<(), Failure> {
        match self.output.width {
            Some(width) => self.draw(sites, jobs, width),
            None => self.say_changes(jobs),
        }
    }

    /// Takes the live table away.
    pub fn clear(&mut self) -> Result<(), Failure> {
        if self.drawn > 0 {
            self.output.text(&format!("\x1b[{}A\x1b[J", self.drawn))?;
            self.drawn = 0;
        }
        Ok(())
    }

    fn draw(&mut self, sites: &[Site], jobs: &[Job], width: usize) -> Result<(), Failure> {
        let mut lines = vec![String::new()];
        let over = jobs.iter().filter(|job| job.state.is_terminal()).count();
        lines.push(format!("{} {over} of {} jobs are over", self.clock(), jobs.len()));
        lines.push(String::new());
        let widest = sites.iter().map(|site| site.capacity.cpus).max().unwrap_or(0);
        lines.extend(sites.iter().map(|site| site_line(self.output, site, widest)));
        lines.push(String::new());
        lines.extend(live_table(self.output, jobs).lines().map(str::to_owned));
        let mut text = String::new();
        if self.drawn > 0 {
            text.push_str(&format!("\x1b[{}A", self.drawn));
        }
        for line in &lines {
            // A line that is too long would take two and spoil the next redraw.
            let line = if self.output.colour == crate::output::Colour::On {
                line.clone()
            } else {
                format::cut(line, width)
            };
            text.push_str(&line);
            text.push_str("\x1b[K\n");
        }
        text.push_str("\x1b[J");
        self.drawn = lines.len();
        self.output.text(&text)
    }

    fn say_changes(&mut self, jobs: &[Job]) -> Result<(), Failure> {
        for job in jobs {
            let line = format!("job {} {}: {}", job.id, job.name, standing(job));
            if self.said.get(&job.id) != Some(&line) {
                self.say(&line)?;
                self.said.insert(job.id, line);
            }
        }
        Ok(())
    }
}

/// `shanghai  ██░░ 2 of 4 CPUs busy  reachable`.
fn site_line(output: &Output, site: &Site, widest: u32) -> String {
    let (free, all) = (site.free.cpus as usize, site.capacity.cpus as usize);
    let busy = all.saturating_sub(free);
    let bar = format!("{}{}", "█".repeat(busy.min(40)), "░".repeat(free.min(40)));
    let name = site.site.as_deref().unwrap_or(&site.cluster);
    let contact = match site.contact {
        Contact::Reachable => String::new(),
        Contact::Expected => "  not in contact yet".to_owned(),
        Contact::Silent => "  silent".to_owned(),
    };
    let jobs = format::counted(u64::from(site.allocations), "job");
    let flavors = site.flavors.join(", ");
    let rest = " ".repeat((widest as usize).saturating_sub(all).min(40));
    format!(
        "{name:10} {}{rest}  {busy} of {all} CPUs busy, {jobs:7}  {flavors}{contact}",
        output.green(&bar)
    )
}

fn live_table(output: &Output, jobs: &[Job]) -> String {
    let heads = [
        ("JOB", Align::Right),
        ("NAME", Align::Left),
        ("STATE", Align::Left),
        ("TASKS", Align::Left),
        ("SITE", Align::Left),
        ("TIME", Align::Right),
        ("NODES OR REASON", Align::Left),
    ];
    let mut rows = Rows::new(output, &heads);
    let now = format::now();
    for job in jobs {
        let ran = job
            .started_at
            .map_or(0, |started| format::seconds_between(started, job.ended_at.unwrap_or(now)));
        let tasks = job.array.as_ref().map_or_else(|| "1".to_owned(), ps::tasks);
        let alone = job.state != JobState::Pending && job.array.is_none();
        let site = job.site.clone().filter(|_| alone);
        let place = match &job.array {
            Some(_) => job.reason.as_ref().map_or_else(String::new, |r| format!("({r})")),
            None => ps::where_or_why(job),
        };
        rows.row([
            job.id.to_string().into(),
            format::cut(&job.name, 14).into(),
            toned(job.state.name(), Tone::of(job.state)),
            tasks.into(),
            site.unwrap_or_else(|| format::NOTHING.to_owned()).into(),
            format::clock(ran).into(),
            place.into(),
        ]);
    }
    rows.render()
}

/// Where a job stands, in a few words that change only when something happened.
fn standing(job: &Job) -> String {
    let state = match &job.array {
        Some(array) => ps::tasks(array),
        None => job.state.name().to_owned(),
    };
    match (&job.site, &job.reason) {
        (_, Some(reason)) if job.state == JobState::Pending => format!("{state} ({reason})"),
        (Some(site), _) if job.array.is_none() => format!("{state} at {site}"),
        _ => state,
    }
}

/// One row of the last table.
pub struct JobResult {
    /// Job id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Site, or tasks by site.
    pub place: String,
    /// Why there, in five words at most.
    pub why: String,
    /// Seconds from submission to the (first) start.
    pub waited: f64,
    /// Seconds from the (first) start to the (last) end.
    pub ran: f64,
    /// What it cost.
    pub cost: String,
    /// How it ended.
    pub end: String,
    /// Whether that is well.
    pub tone: Tone,
}

/// Prints the last table.
pub fn last_table(output: &Output, results: &[JobResult]) -> Result<(), Failure> {
    let heads = [
        ("JOB", Align::Right),
        ("NAME", Align::Left),
        ("WHERE", Align::Left),
        ("WHY THERE", Align::Left),
        ("WAITED", Align::Right),
        ("RAN", Align::Right),
        ("COST", Align::Right),
        ("RESULT", Align::Left),
    ];
    let mut rows = Rows::new(output, &heads);
    for result in results {
        rows.row([
            result.id.to_string().into(),
            (&result.name).into(),
            (&result.place).into(),
            (&result.why).into(),
            format!("{:.0} s", result.waited).into(),
            format!("{:.0} s", result.ran).into(),
            (&result.cost).into(),
            toned(&result.end, result.tone),
        ]);
    }
    rows.print(output)
}
