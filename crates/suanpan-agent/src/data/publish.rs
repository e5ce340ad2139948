//! What a payload left becomes datasets, before its job is told as over.
//!
//! The files are read where the job wrote them, on the agent's machine: the nodes are free by then.

use super::board::{MadeOutput, PUBLISHED, Publish, Published, PublishedDataset};
use super::keeper::Keeper;
use crate::client::ClientError;
use crate::failpoint;
use crate::local::files::Dir;
use crate::reporter::Pause;
use suanpan_model::dataset::Manifest;
use suanpan_model::id::AllocationId;
use suanpan_wire::agent_data::NewDataset;

impl Keeper {
    /// Publishes the outputs of an allocation and writes down what became of them.
    pub(super) fn publish(&self, id: AllocationId, dir: &Dir) {
        let mut published = Published::default();
        let mut troubles = Vec::new();
        let publish = dir.read::<Publish>(super::board::PUBLISH).unwrap_or_else(|| {
            // Read again it would be no better, and the allocation would never end.
            troubles.push(format!("{} cannot be read", super::board::PUBLISH));
            Publish::default()
        });
        for output in &publish.outputs {
            match self.publish_one(id, dir, output) {
                Some(Ok(dataset)) => published.datasets.push(dataset),
                Some(Err(why)) => troubles.push(format!("`{}`: {why}", output.name)),
                // It was stopped, or the agent ends: the next one begins anew.
                None => return self.parts.board.published(id),
            }
        }
        if !troubles.is_empty() {
            published.trouble = format!("outputs not published: {}", troubles.join("; "));
            tracing::warn!(allocation = id.0, trouble = published.trouble, "a job's outputs");
        }
        failpoint::reached("data-before-published");
        if let Err(error) = dir.write(PUBLISHED, &published) {
            // Without the file the allocation is held back, and this is done again.
            tracing::warn!(allocation = id.0, %error, "what was published cannot be noted");
        }
        self.parts.board.published(id);
    }

    /// Registers one output; why it cannot be, or nothing if it is no longer wanted now.
    fn publish_one(
        &self,
        id: AllocationId,
        dir: &Dir,
        output: &MadeOutput,
    ) -> Option<Result<PublishedDataset, String>> {
        let (hash, manifest) = match self.parts.store.make(std::slice::from_ref(&output.path)) {
            Ok(made) => made,
            Err(error) => return Some(Err(error.to_string())),
        };
        let registered = match manifest.files.is_empty() {
            true => Some(Err(format!("{} holds no file", output.path.display()))),
            false => self.register(id, dir, output, manifest),
        };
        if !matches!(registered, Some(Ok(_))) {
            self.parts.store.unmake(hash);
        }
        registered
    }

    fn register(
        &self,
        id: AllocationId,
        dir: &Dir,
        output: &MadeOutput,
        manifest: Manifest,
    ) -> Option<Result<PublishedDataset, String>> {
        let mut pause = Pause::default();
        let new = NewDataset { name: output.name.clone(), manifest, made_by: id };
        loop {
            match self.parts.client.new_dataset(&new) {
                Ok(registered) => {
                    let (version, manifest) = (registered.version, registered.manifest);
                    let name = output.name.clone();
                    tracing::info!(allocation = id.0, dataset = %name, version, "published");
                    return Some(Ok(PublishedDataset { name, version, manifest }));
                }
                // The others pass: a token that is exchanged, a request that took too long, too
                // many of them.
                Err(ClientError::Status { status, text, .. })
                    if (400..500).contains(&status) && ![401, 408, 429].contains(&status) =>
                {
                    return Some(Err(format!("the control plane refuses it: {text}")));
                }
                Err(error) => {
                    tracing::warn!(allocation = id.0, %error, "an output is not registered yet");
                }
            }
            let ends = self.parts.shutdown.wait(pause.next());
            if ends || dir.marked("stop").is_some() {
                return None;
            }
        }
    }
}
