//! The `resources` key: what each node needs, in SkyPilot's words.

use super::lines::{Path, Step, below};
use super::{Reader, kind, scalar};
use crate::jobfile::near;
use crate::v1::submit::FlavorChoice;
use serde_yaml_ng::{Mapping, Value};
use suanpan_model::gres::GpuRequest;

const READ: [&str; 5] = ["accelerators", "cpus", "memory", "any_of", "ordered"];

/// Keys of SkyPilot's resources that cannot be honoured, and what to do instead.
const REFUSED: [(&str, &str); 19] = [
    ("infra", "name sites with the key `sites`"),
    ("cloud", "name sites with the key `sites`"),
    ("region", "name sites with the key `sites`"),
    ("zone", "name sites with the key `sites`"),
    ("instance_type", "say `cpus` and `memory`, or name kinds of resource with `flavors`"),
    ("use_spot", "name kinds of resource with `flavors`, and use `requeue: true`"),
    ("spot_recovery", "use `requeue: true`"),
    ("job_recovery", "use `requeue: true`"),
    ("accelerator_args", "name kinds of resource with `flavors`"),
    ("disk_size", "remove it; local disks are not counted"),
    ("disk_tier", "remove it; local disks are not counted"),
    ("local_disk", "remove it; local disks are not counted"),
    ("network_tier", "remove it; the network is measured, not asked for"),
    ("ports", "remove it; services are not offered"),
    ("image_id", "start the container in `run`"),
    ("labels", "use `comment`"),
    ("autostop", "remove it; nodes are given back at the end of the job"),
    ("priority", "remove it; use `deadline` or `goal`"),
    ("volumes", "name data with the key `inputs`"),
];

impl Reader<'_> {
    pub(super) fn resources(&mut self, path: Path<'_>, value: &Value) {
        let Value::Mapping(mapping) = value else {
            return self.refuse(path, kind(value), "keys such as `accelerators`, `cpus`, `memory`");
        };
        let mut choices = Vec::new();
        for (key, value) in mapping {
            let Some(key) = key.as_str() else {
                self.refuse(path, kind(key), "keys that are words");
                continue;
            };
            let path = below(path, Step::Key(key));
            match key {
                "cpus" => self.cpus(&path, value),
                "memory" => self.memory(&path, value),
                "accelerators" => choices.extend(self.accelerators(&path, value)),
                "any_of" | "ordered" => choices.extend(self.alternatives(&path, value)),
                _ => self.unknown_resource(&path, key),
            }
        }
        let doubled = ["any_of", "ordered"].iter().any(|key| mapping.contains_key(*key))
            && mapping.contains_key("accelerators");
        if doubled {
            let expected = "accelerators either above or within the alternatives, not both";
            return self.refuse(path, "", expected);
        }
        self.choose_accelerators(path, &choices);
    }

    fn unknown_resource(&mut self, path: Path<'_>, key: &str) {
        match REFUSED.iter().find(|(known, _)| *known == key) {
            Some((_, remedy)) => {
                self.refuse(
                    path,
                    "",
                    format!("no such key, which is not supported here: {remedy}"),
                );
            }
            None => {
                let meant = near::hint(key, READ.into_iter());
                self.refuse(path, "", format!("a key of resources{meant}"));
            }
        }
    }

    /// `4` or `4+`: processors of each node.
    fn cpus(&mut self, path: Path<'_>, value: &Value) {
        let Some(text) = self.text(path, value) else { return };
        self.set_option(path, "cpus-per-task", at_least(&text));
    }

    /// `16`, `16+` (GiB) or an amount with a unit: memory of each node.
    fn memory(&mut self, path: Path<'_>, value: &Value) {
        let Some(text) = self.text(path, value) else { return };
        let least = at_least(&text);
        let is_bare = least.bytes().all(|b| b.is_ascii_digit());
        let amount = if is_bare { format!("{least}G") } else { least.to_owned() };
        self.set_option(path, "mem", &amount);
    }

    /// `A100:8`, `A100`, `{A100: 8}` or a list of these: kinds of GPU with their counts.
    fn accelerators(&mut self, path: Path<'_>, value: &Value) -> Vec<(String, u32)> {
        match value {
            Value::Sequence(items) => {
                let mut choices = Vec::new();
                for (index, item) in items.iter().enumerate() {
                    let path = below(path, Step::Index(index));
                    choices
                        .extend(self.text(&path, item).and_then(|t| self.accelerator(&path, &t)));
                }
                choices
            }
            Value::Mapping(mapping) => {
                let mut choices = Vec::new();
                for (kind, count) in mapping {
                    let kind = scalar(kind).unwrap_or_default();
                    let path = below(path, Step::Key(&kind));
                    let typed = match count {
                        Value::Null => kind.clone(),
                        count => format!("{kind}:{}", scalar(count).unwrap_or_default()),
                    };
                    choices.extend(self.accelerator(&path, &typed));
                }
                choices
            }
            _ => {
                let text = self.text(path, value);
                text.and_then(|text| self.accelerator(path, &text)).into_iter().collect()
            }
        }
    }

    fn accelerator(&mut self, path: Path<'_>, text: &str) -> Option<(String, u32)> {
        let read = GpuRequest::from_gpus(text).ok();
        let mut named = read.iter().flat_map(GpuRequest::named);
        match (named.next(), named.next(), read.as_ref().map(GpuRequest::any)) {
            (Some((kind, count)), None, Some(0)) => Some((kind.to_owned(), count)),
            _ => {
                self.refuse(path, text, "a kind of GPU and a whole count, such as A100:8");
                None
            }
        }
    }

    /// `any_of` and `ordered`: alternatives that differ in their accelerators.
    fn alternatives(&mut self, path: Path<'_>, value: &Value) -> Vec<(String, u32)> {
        let Value::Sequence(items) = value else {
            self.refuse(path, kind(value), "a list of alternatives");
            return Vec::new();
        };
        let mut choices = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let path = below(path, Step::Index(index));
            let Value::Mapping(item) = item else {
                self.refuse(&path, kind(item), "a mapping with `accelerators`");
                continue;
            };
            choices.extend(self.alternative(&path, item));
        }
        choices
    }

    fn alternative(&mut self, path: Path<'_>, item: &Mapping) -> Vec<(String, u32)> {
        let mut choices = Vec::new();
        for (key, value) in item {
            let key = scalar(key).unwrap_or_default();
            let path = below(path, Step::Key(&key));
            match key.as_str() {
                "accelerators" => choices.extend(self.accelerators(&path, value)),
                "cpus" | "memory" => {
                    self.refuse(&path, "", "`cpus` and `memory` once, above the alternatives");
                }
                _ => self.unknown_resource(&path, &key),
            }
        }
        choices
    }

    /// One kind is asked for by its name; several kinds become flavors in order of preference.
    fn choose_accelerators(&mut self, path: Path<'_>, choices: &[(String, u32)]) {
        match choices {
            [] => {}
            [(kind, count)] => self.job.gpus_per_node = Some(format!("{kind}:{count}")),
            [(_, count), rest @ ..] if rest.iter().all(|(_, other)| other == count) => {
                if !self.job.flavors.is_empty() {
                    let expected = "one kind of accelerator, or no `flavors` beside several kinds";
                    return self.refuse(path, "", expected);
                }
                self.job.gpus_per_node = Some(count.to_string());
                let flavor = |(kind, _): &(String, u32)| FlavorChoice {
                    flavor: kind.clone(),
                    ..FlavorChoice::default()
                };
                self.job.flavors = choices.iter().map(flavor).collect();
                self.note(path, "the kinds of accelerator are read as flavors, in this order.");
            }
            _ => self.refuse(path, "", "the same count of every kind of accelerator"),
        }
    }
}

/// SkyPilot's `+` means "or more"; a site gives exactly what is asked, which satisfies it.
fn at_least(text: &str) -> &str {
    text.strip_suffix('+').unwrap_or(text).trim()
}
