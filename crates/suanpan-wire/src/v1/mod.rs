//! Version 1 of the public API: what is sent and answered under `/v1`.
//!
//! These types are the contract; the model behind them may change freely. Rules they follow:
//! points of time are RFC 3339 in UTC ([`Time`]), lengths of time are seconds and say so in the
//! name (`…_s`), money is integer micro-units with a currency ([`Money`]), absent is absent
//! (never `null` or a magic number), and words are those of the glossary. Fields may be added;
//! readers skip what they do not know. Requests are strict: an unknown field is refused by name.

pub mod accuracy;
pub mod closure;
pub mod dataset;
pub mod envelope;
pub mod event;
pub mod fields;
pub mod interpret;
pub mod job;
pub mod logs;
pub mod network;
pub mod ops;
pub mod plan;
pub mod priority;
pub mod problem;
pub mod quota;
pub mod site;
pub mod submission;
pub mod submit;
pub mod value;

pub use accuracy::{AccuracyList, ErrorSpread, SiteAccuracy};
pub use closure::{
    CreateReservation, Drain, DrainAnswer, DrainNodes, DrainState, EndReservation, Reservation,
    ReservationAnswer, ReservationList, ReservationState, UndrainAnswer, UndrainNodes,
};
pub use dataset::{
    Dataset, DatasetAnswer, DatasetDetail, DatasetList, DatasetRef, FetchAnswer, Lineage,
    PinDataset, RegisterDataset, RegisteredDataset, Replica,
};
pub use envelope::{Envelope, EnvelopeHeader};
pub use event::{EventKind, JobEvent, JobEventList, SiteEvent, SiteEventKind};
pub use job::{
    ActionAnswer, ArraySummary, Attempt, Ending, Foretold, Job, JobDetail, JobList, Task, TaskList,
    Used,
};
pub use logs::{LogChunk, LogStreamName};
pub use network::{
    CategoryScores, LinkList, LinkSource, LinkState, MetricValues, SiteMetricList, SiteMetrics,
};
pub use ops::{Health, Liveness, Version};
pub use plan::{
    Candidate, Change, ChangeEffect, Feasibility, Loser, PartFrom, PlanAnswer, RunFrom, Step,
    Unfit, WAITING_REASONS, Why, WhyPending, WhyPlaced,
};
pub use priority::{
    BillingWeights, Combine, Favor, JobPriority, JobPriorityList, PriorityAnswer, PriorityPolicy,
    PriorityWeights, ProjectShares, Qos, Share, ShareList, WhenPreempted,
};
pub use problem::{FieldProblem, Problem};
pub use quota::{
    QuotaAmount, QuotaAmounts, QuotaBorrow, QuotaCohort, QuotaKind, QuotaLimits, QuotaList,
    QuotaProject, QuotaReclaim, QuotaSharing, QuotaTree, QuotaUse, QuotaWithin,
};
pub use site::{
    AddSite, Authority, Contact, EnforcedLimit, Flavor, FlavorList, FlavorOffer, InviteSite, Link,
    Partition, PartitionQueue, Site, SiteInvitation, SiteList, SiteStanding, SiteToken, Standing,
};
pub use submission::{BulkSubmit, SubmitAnswer, SubmittedJob};
pub use submit::SubmitJob;
pub use value::{JobState, Money, PerNode, Time};
