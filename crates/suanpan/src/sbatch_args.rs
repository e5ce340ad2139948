//! sbatch's options as arguments of `submit`, `run` and `plan`: made from the one option table, so
//! that help, completions and the reference list exactly what is read.

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use suanpan_wire::jobfile::sbatch::{Effect, OptionRow, Setting, TABLE, ValueKind};
use suanpan_wire::jobfile::sbatch::{Origin, parse_options};

/// The options given, each as one word (`--time=30`), in the order they were given.
#[derive(Clone, Debug, Default)]
pub struct SbatchArgs(Vec<String>);

/// Rows that our own arguments stand for.
const OURS: [&str; 3] = ["help", "usage", "version"];

impl SbatchArgs {
    /// The options as settings.
    pub fn settings(&self) -> Result<Vec<Setting>, Vec<suanpan_wire::jobfile::JobFileError>> {
        parse_options(&self.0, Origin::CommandLine).map(|(settings, _)| settings)
    }
}

impl Args for SbatchArgs {
    fn augment_args(command: Command) -> Command {
        rows().fold(command, |command, row| command.arg(argument(row)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        SbatchArgs::augment_args(command)
    }
}

impl FromArgMatches for SbatchArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<SbatchArgs, clap::Error> {
        let mut found: Vec<(usize, String)> = Vec::new();
        for row in rows() {
            let places = matches.indices_of(row.name).into_iter().flatten();
            match row.value {
                ValueKind::None => {
                    let times = usize::from(matches.get_count(row.name));
                    let mut places = places;
                    let last = (0..times).map(|_| places.next().unwrap_or(0));
                    found.extend(last.map(|place| (place, format!("--{}", row.name))));
                }
                ValueKind::Optional(_) | ValueKind::Required(_) => {
                    let values = matches.get_many::<String>(row.name).into_iter().flatten();
                    found.extend(values.zip(places).map(|(value, place)| {
                        let bare = value.is_empty() && matches!(row.value, ValueKind::Optional(_));
                        let value = if bare { String::new() } else { format!("={value}") };
                        (place, format!("--{}{value}", row.name))
                    }));
                }
            }
        }
        found.sort_by_key(|(place, _)| *place);
        Ok(SbatchArgs(found.into_iter().map(|(_, word)| word).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = SbatchArgs::from_arg_matches(matches)?;
        Ok(())
    }
}

fn rows() -> impl Iterator<Item = &'static OptionRow> {
    TABLE.iter().filter(|row| !OURS.contains(&row.name))
}

fn argument(row: &'static OptionRow) -> Arg {
    let refused = matches!(row.effect, Effect::Refused(_));
    let heading = if row.is_own() { "Options beside sbatch's" } else { "Options of sbatch" };
    let arg = Arg::new(row.name)
        .long(row.name)
        .aliases(row.aliases)
        .help(row.help)
        .help_heading(heading)
        .hide(refused);
    // `-q` prints ids here, as with every verb; the script's `#SBATCH -q` is its QOS.
    let arg = match row.short {
        Some(letter) if letter != 'q' => arg.short(letter),
        _ => arg,
    };
    match row.value {
        ValueKind::None => arg.action(ArgAction::Count),
        ValueKind::Optional(what) => arg
            .action(ArgAction::Append)
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("")
            .value_name(value_name(what)),
        ValueKind::Required(what) => {
            arg.action(ArgAction::Append).num_args(1).value_name(value_name(what))
        }
    }
}

fn value_name(what: &'static str) -> &'static str {
    if what.is_empty() { "value" } else { what }
}
