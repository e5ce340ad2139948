//! Settings about the control plane's own place and its data.

use super::{ConfigError, Reader};
use crate::data::DataOptions;
use crate::data::limits::Limits;
use std::path::Path;

impl Reader {
    pub(super) fn site_name(&self) -> Result<String, ConfigError> {
        let text = self.given("site_name").text.trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        match (1..=64).contains(&text.len()) && text.chars().all(plain) {
            true => Ok(text.to_owned()),
            false => Err(self.wrong("site_name", "write 1 to 64 letters, digits, -, _ or .")),
        }
    }

    pub(super) fn data(&self, data_dir: &Path) -> Result<DataOptions, ConfigError> {
        let store = match self.given("data.store").text.trim() {
            "" => data_dir.join("chunks").display().to_string(),
            place => place.to_owned(),
        };
        let limits = Limits::parse(&self.given("data.limits").text);
        let limits = limits.map_err(|expected| self.wrong("data.limits", expected))?;
        Ok(DataOptions { store, site: self.site_name()?, limits })
    }
}
