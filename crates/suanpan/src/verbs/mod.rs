//! One file for each verb.

mod accuracy;
mod act;
mod agent;
mod completions;
mod data;
pub mod demo;
mod drains;
mod flavors;
mod follow;
mod history;
mod journal;
mod logs;
mod network;
mod plan;
mod priorities;
mod ps;
mod quotas;
mod reservations;
mod run;
mod server;
mod show;
mod sim;
mod site_script;
mod sites;
mod submit;
mod topology;
mod wait;
mod why;

use crate::cli::{Cli, Global, Verb};
use crate::client::Client;
use crate::client::api::Action;
use crate::client::settings::{Flags, Settings};
use crate::exit::Codes;
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use std::ffi::OsString;

/// What verbs share: how to print and how to reach the server.
pub struct Context<'a> {
    /// Where and how to print.
    pub output: &'a Output,
    global: Global,
}

impl Context<'_> {
    /// A connection to the server that the flags, the environment or the file name.
    pub fn client(&self) -> Result<Client, Failure> {
        Client::new(Settings::read(&self.flags())?)
    }

    /// The global flags.
    pub fn flags(&self) -> Flags {
        let Global { server, token_file, ca_file, .. } = self.global.clone();
        Flags { server, token_file, ca_file }
    }
}

/// Does what the arguments say.
pub fn run(cli: Cli, output: &Output) -> Outcome {
    let context = Context { output, global: cli.global };
    match cli.verb {
        Verb::Submit(args) => submit::run(&context, &args),
        Verb::Run(args) => run::run(&context, &args),
        Verb::Plan(args) => plan::run(&context, &args),
        Verb::Ps(args) => ps::run(&context, &args),
        Verb::Show(args) => show::run(&context, &args),
        Verb::Why(args) => why::run(&context, &args),
        Verb::Logs(args) => logs::run(&context, &args),
        Verb::Cancel(args) => act::run(&context, Action::Cancel, &args.jobs),
        Verb::Hold(args) => act::run(&context, Action::Hold, &args.jobs),
        Verb::Release(args) => act::run(&context, Action::Release, &args.jobs),
        Verb::Requeue(args) => act::run(&context, Action::Requeue, &args.jobs),
        Verb::Wait(args) => wait::run(&context, &args),
        Verb::Sites(args) => sites::run(&context, &args),
        Verb::Reservations(args) => reservations::run(&context, &args),
        Verb::Priorities(args) => priorities::run(&context, &args),
        Verb::Network(args) => network::run(&context, &args),
        Verb::Data(args) => data::run(&context, &args),
        Verb::Flavors => flavors::run(&context),
        Verb::Quotas(args) => quotas::run(&context, &args),
        Verb::History(args) => history::run(&context, &args),
        Verb::Server(args) => server::run(&context, &args),
        Verb::Agent(args) => agent::run(&context, &args),
        Verb::Demo(args) => demo::run(&context, &args),
        Verb::Journal(args) => journal::run(&context, args),
        Verb::Sim(args) => sim::run(&context, args),
        Verb::Topology(args) => topology::run(&context, *args),
        Verb::Completions(args) => completions::run(&context, &args),
        Verb::Reference => crate::reference::run(&context),
    }
}

/// The names of all verbs that people use.
pub const NAMES: &[&str] = &[
    "submit",
    "run",
    "plan",
    "ps",
    "show",
    "why",
    "logs",
    "cancel",
    "hold",
    "release",
    "requeue",
    "wait",
    "sites",
    "network",
    "reservations",
    "priorities",
    "data",
    "flavors",
    "quotas",
    "history",
    "server",
    "agent",
    "demo",
    "journal",
    "sim",
    "topology",
    "completions",
];

/// The verb's name, as it stands on the command line.
pub fn name(verb: &Verb) -> &'static str {
    match verb {
        Verb::Submit(_) => "submit",
        Verb::Run(_) => "run",
        Verb::Plan(_) => "plan",
        Verb::Ps(_) => "ps",
        Verb::Show(_) => "show",
        Verb::Why(_) => "why",
        Verb::Logs(_) => "logs",
        Verb::Cancel(_) => "cancel",
        Verb::Hold(_) => "hold",
        Verb::Release(_) => "release",
        Verb::Requeue(_) => "requeue",
        Verb::Wait(_) => "wait",
        Verb::Sites(_) => "sites",
        Verb::Network(_) => "network",
        Verb::Reservations(_) => "reservations",
        Verb::Priorities(_) => "priorities",
        Verb::Data(_) => "data",
        Verb::Flavors => "flavors",
        Verb::Quotas(_) => "quotas",
        Verb::History(_) => "history",
        Verb::Server(_) => "server",
        Verb::Agent(_) => "agent",
        Verb::Demo(_) => "demo",
        Verb::Journal(_) => "journal",
        Verb::Sim(_) => "sim",
        Verb::Topology(_) => "topology",
        Verb::Completions(_) => "completions",
        Verb::Reference => "reference",
    }
}

/// Whether a verb's errors make room for its job's exit code.
pub fn codes(verb: &Verb) -> Codes {
    let of = |status_code: bool| if status_code { Codes::Status } else { Codes::Job };
    match verb {
        Verb::Run(args) => of(args.status_code),
        Verb::Wait(args) => of(args.status_code),
        Verb::Logs(args) if args.follow => Codes::Job,
        // A script may ask for `--wait` as well, but then it was read and the job is there.
        Verb::Submit(args) if submit::asks_to_wait(args) => of(args.status_code),
        _ => Codes::Own,
    }
}

/// The same for arguments that could not be read.
pub fn codes_of_words(verb: &str, args: &[OsString]) -> Codes {
    let has = |words: &[&str]| args.iter().any(|arg| words.iter().any(|word| arg == *word));
    match verb {
        "run" | "wait" => Codes::Job,
        "logs" if has(&["-f", "--follow"]) => Codes::Job,
        "submit" if has(&["-W", "--wait"]) => Codes::Job,
        _ => Codes::Own,
    }
}
