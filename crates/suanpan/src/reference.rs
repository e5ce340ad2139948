//! The reference of the command line, in Markdown, made from the arguments themselves.

use crate::cli::Cli;
use crate::client::settings::VARIABLES;
use crate::exit;
use crate::failure::Outcome;
use crate::verbs::Context;
use clap::{Arg, Command, CommandFactory};
use std::fmt::Write;
use suanpan_wire::jobfile::sbatch::{Effect, TABLE};

/// Prints it.
pub fn run(context: &Context<'_>) -> Outcome {
    context.output.text(&markdown())?;
    Ok(exit::OK)
}

/// The whole reference.
fn markdown() -> String {
    let mut command = Cli::command();
    command.build();
    let mut text = String::from(
        "# Reference of the command line\n\nMade by `suanpan reference`; change the arguments in \
         `crates/suanpan/src/cli.rs` instead.\n\n",
    );
    let visible: Vec<&Command> =
        command.get_subcommands().filter(|verb| !verb.is_hide_set()).collect();
    text.push_str("| verb | what it does |\n| --- | --- |\n");
    for verb in &visible {
        let name = verb.get_name();
        line(&mut text, &format!("| [`{name}`](#suanpan-{name}) | {} |", about(verb)));
    }
    text.push_str("\n## Options of every verb\n\n");
    options(&mut text, command.get_arguments().filter(|arg| !is_help(arg)));
    for verb in visible {
        of_verb(&mut text, verb, "suanpan", 2);
    }
    sbatch_options(&mut text);
    exit_codes(&mut text);
    text.push_str("\n## Waiting reasons\n\n| reason | meaning |\n| --- | --- |\n");
    for reason in suanpan_wire::v1::WAITING_REASONS {
        line(&mut text, &format!("| `{}` | {} |", reason.word, reason.text));
    }
    text.push_str("\n## Environment\n\n| variable | what it says |\n| --- | --- |\n");
    for variable in VARIABLES {
        line(&mut text, &format!("| `{}` | {} |", variable.name, variable.meaning));
    }
    for setting in suanpan_server::config::SETTINGS {
        line(&mut text, &format!("| `{}` | `server`: {} |", setting.env(), setting.help));
    }
    text
}

fn of_verb(text: &mut String, command: &Command, before: &str, level: usize) {
    let name = format!("{before} {}", command.get_name());
    let marks = "#".repeat(level);
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim();
    let usage: Vec<&str> = usage.lines().map(str::trim).collect();
    let usage = usage.join("\n");
    line(text, &format!("\n{marks} {name}\n\n{}.\n\n```text\n{usage}\n```\n", about(command)));
    // sbatch's options are the same for three verbs and have a part of their own.
    let own = |arg: &&Arg| {
        !arg.is_global_set() && !is_help(arg) && !TABLE.iter().any(|row| arg.get_id() == row.name)
    };
    if command.get_arguments().any(|arg| own(&arg)) {
        options(text, command.get_arguments().filter(own));
    }
    for action in command.get_subcommands().filter(|action| action.get_name() != "help") {
        of_verb(text, action, &name, level + 1);
    }
}

fn options<'a>(text: &mut String, args: impl Iterator<Item = &'a Arg>) {
    text.push_str("| argument | meaning |\n| --- | --- |\n");
    for arg in args.filter(|arg| !arg.is_hide_set()) {
        line(text, &format!("| {} | {} |", spelled(arg), help(arg)));
    }
}

fn spelled(arg: &Arg) -> String {
    let value = arg.get_value_names().and_then(|names| names.first()).map(|name| name.as_str());
    let value = if arg.get_action().takes_values() { value } else { None };
    match (arg.get_short(), arg.get_long()) {
        (None, None) => format!("`{}`", value.unwrap_or_else(|| arg.get_id().as_str())),
        (short, long) => {
            let forms = [short.map(|short| format!("-{short}")), long.map(|l| format!("--{l}"))];
            let forms: Vec<String> = forms.into_iter().flatten().collect();
            let value = value.map_or_else(String::new, |value| format!(" {value}"));
            format!("`{}{value}`", forms.join("`, `"))
        }
    }
}

fn help(arg: &Arg) -> String {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    help.replace('|', "\\|").replace('\n', " ")
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

fn is_help(arg: &Arg) -> bool {
    matches!(arg.get_id().as_str(), "help" | "version")
}

fn sbatch_options(text: &mut String) {
    text.push_str(
        "\n## Options of sbatch\n\n`submit`, `run` and `plan` take them on the command line; a \
         script has them in `#SBATCH` lines, those that are ours in `#SUANPAN` lines. On the \
         command line `-q` is ours and prints ids; write `--qos` in full there.\n\n\
         | option | variable | meaning |\n| --- | --- | --- |\n",
    );
    for row in TABLE.iter().filter(|row| !matches!(row.effect, Effect::Refused(_))) {
        let short = row.short.map_or_else(String::new, |short| format!("`-{short}`, "));
        let ours = if row.is_own() { " (ours)" } else { "" };
        let variables: Vec<String> = row.variables.iter().map(|name| format!("`{name}`")).collect();
        let row = format!(
            "| {short}`--{}`{ours} | {} | {} |",
            row.name,
            variables.join(" "),
            row.help.replace('|', "\\|")
        );
        line(text, &row);
    }
    text.push_str(
        "\nRefused by name, with what to do instead:\n\n| option | instead |\n| --- | --- |\n",
    );
    for row in TABLE {
        if let Effect::Refused(remedy) = row.effect {
            line(text, &format!("| `--{}` | {remedy} |", row.name));
        }
    }
}

fn exit_codes(text: &mut String) {
    text.push_str("\n## Exit codes\n\n| code | verbs | meaning |\n| --- | --- | --- |\n");
    for row in exit::TABLE {
        line(text, &format!("| {} | {} | {} |", row.code, row.verbs, row.meaning));
    }
}

fn line(text: &mut String, content: &str) {
    writeln!(text, "{content}").expect("text takes everything");
}
