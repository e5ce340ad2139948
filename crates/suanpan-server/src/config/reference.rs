//! The settings as a file for people.

use super::{Config, SETTINGS, Setting};

impl Config {
    /// The table as a commented configuration file with every default.
    #[must_use]
    pub fn reference() -> String {
        let mut text = String::from("# Settings of `suanpan server`, with their defaults.\n");
        text.push_str("# A flag wins over the environment, the environment over this file.\n");
        let table_of = |key: &str| key.split_once('.').map_or("", |(table, _)| table).to_owned();
        let mut ordered: Vec<&Setting> = SETTINGS.iter().collect();
        ordered.sort_by_key(|setting| table_of(setting.key));
        let mut table = String::new();
        for setting in ordered {
            if table_of(setting.key) != table {
                table = table_of(setting.key);
                text.push_str(&format!("\n[{table}]\n"));
            }
            let name = setting.key.rsplit('.').next().unwrap_or(setting.key);
            text.push_str(&format!("\n# {}\n", setting.help));
            text.push_str(&format!("# --{}, {}\n", setting.flag(), setting.env()));
            let sign = if setting.default.is_empty() { "# " } else { "" };
            let quote = if setting.kind.is_bare(setting.default) { "" } else { "\"" };
            text.push_str(&format!("{sign}{name} = {quote}{}{quote}\n", setting.default));
        }
        text
    }
}
