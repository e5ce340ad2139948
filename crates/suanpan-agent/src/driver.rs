//! What runs jobs at a cluster, as the agent sees it.

use crate::sitefile::Site;
use std::collections::BTreeMap;
use std::path::PathBuf;
use suanpan_model::id::{AllocationId, Generation};
use suanpan_model::job::Launch;
use suanpan_model::site::{EnforcedLimit, Inventory};
use suanpan_site::order::Order;
use suanpan_site::reconcile::Observed;
use suanpan_site::report::Report;
use suanpan_wire::agent::{LogStream, SiteWait};

/// Runs jobs at one cluster and knows which it runs, also after the agent was restarted.
pub trait Driver: Send {
    /// Looks at the machine; names the allocations of which something changed since the last
    /// look.
    fn refresh(&mut self) -> Vec<AllocationId>;

    /// Everything that is known here.
    fn observed(&self) -> &BTreeMap<AllocationId, Observed>;

    /// Whether a launch document is needed to start a job.
    fn launch_document(&self) -> LaunchDocument;

    /// Starts an allocation of which nothing is observed. The launch document is there if
    /// [`Driver::launch_document`] asks for it.
    ///
    /// # Errors
    /// If it cannot be started now; it is asked again later.
    fn launch(&mut self, order: &Order, launch: Option<&Launch>) -> std::io::Result<()>;

    /// Tells a payload that it will be stopped for another job, once.
    ///
    /// # Errors
    /// If the request cannot be written down; it is made again later.
    fn warn(&mut self, id: AllocationId) -> std::io::Result<()>;

    /// Begins to stop an allocation, or writes down that it will never start.
    ///
    /// # Errors
    /// If the request cannot be written down; it is made again later.
    fn stop(&mut self, id: AllocationId, generation: Generation) -> std::io::Result<()>;

    /// Finds out what became of an allocation whose supervisor is gone.
    ///
    /// # Errors
    /// If that cannot be done now; it is asked again later.
    fn settle(&mut self, id: AllocationId) -> std::io::Result<()>;

    /// What is to be told about an allocation, oldest first.
    fn reports(&self, id: AllocationId) -> Vec<Report>;

    /// The control plane durably knows that this allocation starts, and still wants it. Drivers
    /// whose jobs wait for that let it go on.
    fn acknowledged(&mut self, _id: AllocationId) {}

    /// Why the site does not start what waits there, where that changed since the last call.
    fn take_waits(&mut self) -> Vec<SiteWait> {
        Vec::new()
    }

    /// Lets go of an allocation that is over for the control plane.
    fn forget(&mut self, id: AllocationId);

    /// Path of an output file of an allocation that is known here or was a while ago.
    fn output(&self, id: AllocationId, stream: LogStream) -> Option<PathBuf>;

    /// Which limits on a job are really held, and by what.
    fn enforced(&self) -> Vec<EnforcedLimit>;

    /// Takes a changed site file.
    fn set_site(&mut self, site: &Site);

    /// What was found at the site since the last call, where the driver asks the workload manager
    /// itself; nothing where the site file says it all.
    fn take_inventory(&mut self) -> Option<Inventory>;
}

/// Whether a driver needs launch documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaunchDocument {
    /// Fetched before a start.
    Needed,
    /// Never fetched.
    Unneeded,
}
