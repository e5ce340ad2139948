//! What rejections say to people.

use super::Rejection;
use std::fmt;
use suanpan_sched::quota::policy::QuotaFault;

impl Rejection {
    /// The sentences about clusters, their nodes and their data.
    fn fmt_of_network(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rejection::UnknownCluster(id) => write!(f, "there is no cluster {id}"),
            Rejection::UnknownNode(name) => write!(f, "the cluster has no node `{name}`"),
            Rejection::UnknownPartition(name) => {
                write!(f, "the cluster has no partition `{name}`")
            }
            Rejection::NoNodes => f.write_str("it names no nodes"),
            Rejection::NotDrained => f.write_str("none of these nodes is drained"),
            Rejection::EndsBeforeItBegins => f.write_str("it would be over before it begins"),
            Rejection::ReservationExists(name) => {
                write!(f, "there is a reservation `{name}` already")
            }
            Rejection::UnknownReservation(name) => write!(f, "there is no reservation `{name}`"),
            Rejection::AlreadyMember(name) => {
                write!(f, "cluster `{name}` is in the network already")
            }
            Rejection::NotJoined(name) => write!(f, "cluster `{name}` has not joined"),
            Rejection::UnknownInvitation => {
                f.write_str("no invitation has this join token: it is wrong, or was revoked")
            }
            Rejection::InvitedAsAnother { invited, named } => {
                write!(f, "the join token is for cluster `{invited}`, not for `{named}`")
            }
            Rejection::InvitationUsed(name) => {
                write!(f, "the join token was used before, by another agent of `{name}`")
            }
            Rejection::InvitationExpired(name) => {
                write!(f, "the join token of cluster `{name}` has expired")
            }
            Rejection::UnknownDataset(id) => write!(f, "there is no dataset {id}"),
            Rejection::UnknownInput { dataset, .. } => {
                write!(f, "it reads dataset {dataset}, which does not exist")
            }
            Rejection::NotDatasetOwner { name, owner } => {
                write!(f, "dataset `{name}` belongs to `{owner}`")
            }
            Rejection::DatasetInUse { dataset, job } => {
                write!(f, "job {job} reads dataset `{dataset}` and is not over")
            }
            Rejection::UnknownSite(site) => write!(f, "there is no site `{site}`"),
            Rejection::NotPinned { dataset, site } => {
                write!(f, "dataset `{dataset}` is not pinned at `{site}`")
            }
            Rejection::UnknownAllocation(id) => {
                write!(f, "allocation {id} does not run at the agent's cluster")
            }
            other => f.write_str(other.code()),
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rejection::UnknownJob(id) => write!(f, "there is no job {id}"),
            Rejection::JobEnded(task, state) => {
                write!(f, "job {task} has already ended: {}", state.name())
            }
            Rejection::NoSuchTask(task) => write!(f, "there is no task {task}"),
            Rejection::NotOwner { job, owner } => write!(f, "job {job} belongs to `{owner}`"),
            Rejection::NothingSubmitted => f.write_str("the submission has no jobs"),
            Rejection::Impossible { unfit, .. } => {
                f.write_str("no site in the network can ever run this job")?;
                for (number, no) in unfit.iter().take(5).enumerate() {
                    let mark = if number == 0 { ": " } else { "; " };
                    write!(f, "{mark}{}: asked {}, there {}", no.site, no.asked, no.there)?;
                }
                Ok(())
            }
            Rejection::UnknownDependency { target, .. } => {
                write!(f, "it depends on job {target}, which was never submitted")
            }
            Rejection::KeyReused => {
                f.write_str("this idempotency key was used before with another request")
            }
            Rejection::HoldOfTask(task) => write!(f, "one task ({task}) cannot be held alone"),
            Rejection::NothingPending(id) => write!(f, "job {id} has no pending task"),
            Rejection::NotHeld(id) => write!(f, "job {id} is not held"),
            Rejection::NotRunning(task) => write!(f, "job {task} is not running"),
            Rejection::ClusterExists(name) => write!(f, "there is a cluster `{name}` already"),
            Rejection::WrongAgent => f.write_str("this agent does not speak for that cluster"),
            Rejection::InvalidInventory { field, value, expected } => {
                write!(f, "inventory field `{field}` is `{value}`: expected {expected}")
            }
            Rejection::InvalidQuotas(QuotaFault { field, value, .. }) => {
                write!(f, "quota `{field}` is `{value}`")
            }
            Rejection::NegativeNice { nice, .. } => {
                write!(f, "only operators may raise a priority (nice {nice})")
            }
            Rejection::UnknownQos { qos, .. } => write!(f, "there is no QOS `{qos}`"),
            Rejection::QosNotAllowed { qos, user, project, .. } => {
                write!(f, "QOS `{qos}` is not for user `{user}` in project `{project}`")
            }
            Rejection::SystemOnly => f.write_str("only the control plane itself may ask this"),
            about_the_network => about_the_network.fmt_of_network(f),
        }
    }
}
