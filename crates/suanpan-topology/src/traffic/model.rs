//! A language model's parallel training as collectives and bytes.

use serde::{Deserialize, Serialize};

use super::collective::{Algorithm, Collective, Operation};
use super::{ENTRIES_MAX, Flow, RANKS_MAX, Traffic};
use crate::problem::Problem;

/// A way to divide the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dimension {
    /// Each layer's matrices.
    Tensor,
    /// Each sequence.
    Context,
    /// The batch.
    Data,
    /// The layers.
    Pipeline,
}

/// How many ranks each dimension has, and how ranks are numbered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parallelism {
    /// TP.
    #[serde(default = "one")]
    pub tensor: u32,
    /// CP.
    #[serde(default = "one")]
    pub context: u32,
    /// DP.
    #[serde(default = "one")]
    pub data: u32,
    /// PP.
    #[serde(default = "one")]
    pub pipeline: u32,
    /// EP: groups of this many ranks along DP hold different experts; it adds no ranks.
    #[serde(default = "one")]
    pub expert: u32,
    /// Dimensions from the one whose ranks are numbered next to each other to the farthest.
    #[serde(default = "usual_order")]
    pub order: [Dimension; 4],
}

impl Default for Parallelism {
    fn default() -> Self {
        Self { tensor: 1, context: 1, data: 1, pipeline: 1, expert: 1, order: usual_order() }
    }
}

fn one() -> u32 {
    1
}

/// Megatron-LM's order `tp-cp-dp-pp`.
fn usual_order() -> [Dimension; 4] {
    [Dimension::Tensor, Dimension::Context, Dimension::Data, Dimension::Pipeline]
}

/// A transformer and how it is trained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// L: layers, a multiple of the pipeline's stages.
    pub layers: u32,
    /// h: hidden width.
    pub hidden: u32,
    /// f: width of the feed-forward part; 4 h, if 0.
    #[serde(default)]
    pub feed_forward: u32,
    /// Matrices of the feed-forward part: 2, or 3 if gated; 2, if 0.
    #[serde(default)]
    pub feed_forward_matrices: u32,
    /// Width of keys and of values together with all heads; h, if 0 (less for grouped queries).
    #[serde(default)]
    pub key_value: u32,
    /// V: words, for the embedding and the output; none, if 0.
    #[serde(default)]
    pub vocabulary: u32,
    /// Parameters in all, in place of the count from the widths.
    #[serde(default)]
    pub parameters: u64,
    /// s: tokens of a sequence.
    pub sequence: u32,
    /// b: sequences of a micro-batch of one data-parallel rank.
    #[serde(default = "one")]
    pub micro_batch: u32,
    /// m: micro-batches of an iteration.
    #[serde(default = "one")]
    pub micro_batches: u32,
    /// Bytes of an activation: 2 for bf16.
    #[serde(default = "two")]
    pub activation_bytes: u32,
    /// Bytes of a gradient.
    #[serde(default = "two")]
    pub gradient_bytes: u32,
    /// v: chunks of layers a pipeline rank holds (interleaved schedule).
    #[serde(default = "one")]
    pub chunks: u32,
    /// E: experts of a layer; a dense model, if 0.
    #[serde(default)]
    pub experts: u32,
    /// k: experts a token goes to.
    #[serde(default = "one")]
    pub experts_per_token: u32,
    /// Every how many layers one has experts.
    #[serde(default = "one")]
    pub expert_every: u32,
    /// How the sums are made.
    #[serde(default)]
    pub algorithm: Algorithm,
}

fn two() -> u32 {
    2
}

/// What a document may leave out; layers, width and sequence are still to be said.
impl Default for Model {
    fn default() -> Self {
        Self {
            layers: 0,
            hidden: 0,
            feed_forward: 0,
            feed_forward_matrices: 0,
            key_value: 0,
            vocabulary: 0,
            parameters: 0,
            sequence: 0,
            micro_batch: 1,
            micro_batches: 1,
            activation_bytes: 2,
            gradient_bytes: 2,
            chunks: 1,
            experts: 0,
            experts_per_token: 1,
            expert_every: 1,
            algorithm: Algorithm::Ring,
        }
    }
}

/// A model's communication in one iteration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expansion {
    /// What is called, by purpose.
    pub collectives: Vec<Collective>,
    /// What ranks send each other in all.
    pub traffic: Traffic,
}

impl Parallelism {
    /// How many ranks there are.
    #[must_use]
    pub fn ranks(&self) -> u64 {
        let sizes = [self.tensor, self.context, self.data, self.pipeline];
        sizes.iter().fold(1_u64, |ranks, &size| ranks.saturating_mul(size.into()))
    }

    fn size(&self, dimension: Dimension) -> u32 {
        match dimension {
            Dimension::Tensor => self.tensor,
            Dimension::Context => self.context,
            Dimension::Data => self.data,
            Dimension::Pipeline => self.pipeline,
        }
    }

    /// How far apart neighbors of a dimension are numbered.
    fn stride(&self, dimension: Dimension) -> u32 {
        let before = self.order.iter().take_while(|other| **other != dimension);
        before.map(|other| self.size(*other)).product()
    }

    fn coordinate(&self, rank: u32, dimension: Dimension) -> u32 {
        rank / self.stride(dimension) % self.size(dimension)
    }

    /// Groups of ranks that differ in these dimensions only, the first fastest.
    fn groups(&self, dimensions: &[Dimension]) -> Vec<Vec<u32>> {
        let mut groups = Vec::new();
        for first in 0..self.ranks() as u32 {
            if dimensions.iter().any(|&d| self.coordinate(first, d) > 0) {
                continue;
            }
            let mut group = vec![first];
            for &dimension in dimensions {
                let stride = self.stride(dimension);
                let steps = 0..self.size(dimension);
                let base = group;
                group = steps.flat_map(|s| base.iter().map(move |r| r + s * stride)).collect();
            }
            groups.push(group);
        }
        groups
    }

    fn check(&self) -> Result<(), Problem> {
        let sizes = [self.tensor, self.context, self.data, self.pipeline, self.expert];
        if sizes.contains(&0) {
            return Err(Problem::new("parallelism", 0, "sizes of at least 1"));
        }
        if self.ranks() > RANKS_MAX as u64 {
            return Err(Problem::new("parallelism", self.ranks(), "at most 1,048,576 ranks"));
        }
        if self.ranks() * u64::from(self.expert) > ENTRIES_MAX as u64 {
            let expected = "fewer experts' ranks: each sends to all others of its group";
            return Err(Problem::new("expert", self.expert, expected));
        }
        if !self.data.is_multiple_of(self.expert) {
            let expected = format!("a divisor of data = {}", self.data);
            return Err(Problem::new("expert", self.expert, &expected));
        }
        let mut order = self.order;
        order.sort_unstable();
        if order.windows(2).any(|pair| pair[0] == pair[1]) {
            let value = format!("{:?}", self.order);
            return Err(Problem::new("order", value, "each of the four dimensions once"));
        }
        Ok(())
    }
}

impl Model {
    /// Parameters of a layer's attention: h² for queries and for the output, and keys and values.
    fn attention(&self) -> u64 {
        let (h, kv) = (u64::from(self.hidden), u64::from(or(self.key_value, self.hidden)));
        h.saturating_mul(h.saturating_add(kv)).saturating_mul(2)
    }

    /// Parameters of one feed-forward part, or of one expert.
    fn feed_forward(&self) -> u64 {
        let wide = or(self.feed_forward, self.hidden.saturating_mul(4));
        u64::from(self.hidden)
            .saturating_mul(wide.into())
            .saturating_mul(or(self.feed_forward_matrices, 2).into())
    }

    fn expert_layers(&self) -> u32 {
        if self.experts == 0 { 0 } else { self.layers / self.expert_every.max(1) }
    }

    /// Parameters that every data-parallel rank has, and those of experts, in all.
    #[must_use]
    pub fn parameters(&self) -> (u64, u64) {
        let sparse = u64::from(self.expert_layers());
        let experts =
            sparse.saturating_mul(self.experts.into()).saturating_mul(self.feed_forward());
        if self.parameters > 0 {
            return (self.parameters.saturating_sub(experts), experts.min(self.parameters));
        }
        let dense = u64::from(self.layers) - sparse;
        let words = u64::from(self.vocabulary).saturating_mul(2 * u64::from(self.hidden));
        let shared = u64::from(self.layers)
            .saturating_mul(self.attention())
            .saturating_add(dense.saturating_mul(self.feed_forward()))
            .saturating_add(words);
        (shared, experts)
    }

    fn check(&self, over: &Parallelism) -> Result<(), Problem> {
        let sizes = [
            ("layers", self.layers),
            ("hidden", self.hidden),
            ("sequence", self.sequence),
            ("micro_batch", self.micro_batch),
            ("micro_batches", self.micro_batches),
            ("activation_bytes", self.activation_bytes),
            ("gradient_bytes", self.gradient_bytes),
            ("chunks", self.chunks),
            ("expert_every", self.expert_every),
        ];
        if let Some((field, _)) = sizes.iter().find(|(_, size)| *size == 0) {
            return Err(Problem::new(*field, 0, "at least 1"));
        }
        // Bounds far above any model, so that products of four of these fit 64 bits.
        let large = [("hidden", self.hidden), ("sequence", self.sequence)];
        let widths = [
            ("feed_forward", self.feed_forward),
            ("key_value", self.key_value),
            ("vocabulary", self.vocabulary),
        ];
        let of_large = large.iter().chain(&widths).find(|(_, size)| *size > 1 << 24);
        let rest = sizes.iter().filter(|(field, _)| !["hidden", "sequence"].contains(field));
        if let Some((field, size)) = of_large.or(rest.clone().find(|(_, size)| *size > 1 << 16)) {
            let most = if of_large.is_some() { "at most 16,777,216" } else { "at most 65,536" };
            return Err(Problem::new(*field, size, most));
        }
        let stages = over.pipeline.saturating_mul(self.chunks);
        if !self.layers.is_multiple_of(stages) {
            let expected = format!("a multiple of {stages}, the stages times chunks");
            return Err(Problem::new("layers", self.layers, &expected));
        }
        if self.experts > 0 && !self.experts.is_multiple_of(over.expert) {
            let expected = format!("a multiple of expert = {}", over.expert);
            return Err(Problem::new("experts", self.experts, &expected));
        }
        if self.experts == 0 && over.expert > 1 {
            return Err(Problem::new("expert", over.expert, "1 for a model without experts"));
        }
        if self.experts > 0 && !(1..=self.experts).contains(&self.experts_per_token) {
            let expected = format!("from 1 to experts = {}", self.experts);
            return Err(Problem::new("experts_per_token", self.experts_per_token, &expected));
        }
        Ok(())
    }

    /// Bytes of the activations of one micro-batch on one rank of a context group: b · s / cp · h.
    fn activations(&self, over: &Parallelism) -> u64 {
        let factors = [self.micro_batch, self.sequence, self.hidden, self.activation_bytes];
        let all = factors.iter().fold(1_u128, |all, &f| all.saturating_mul(f.into()));
        u64::try_from(all.div_ceil(over.context.into())).unwrap_or(u64::MAX)
    }

    /// Expands one iteration into collectives and bytes; each rank's part is the average of its
    /// stage's. O(ranks) memory for each purpose, O(ranks × expert) for experts.
    ///
    /// # Errors
    /// If the sizes do not divide, or the algorithm cannot do a group's size.
    pub fn expand(&self, over: &Parallelism) -> Result<Expansion, Problem> {
        over.check()?;
        self.check(over)?;
        let collectives: Vec<Collective> = [
            self.tensor(over),
            self.context(over),
            self.pipeline(over),
            self.experts(over),
            self.gradients(over),
        ]
        .into_iter()
        .flatten()
        .filter(|c| c.calls > 0 && c.groups.iter().any(|group| group.len() > 1))
        .collect();
        let mut entries = Vec::new();
        for collective in &collectives {
            collective.check()?;
            collective.add_to(&mut entries);
        }
        let traffic = Traffic::from_entries(over.ranks() as usize, Flow::Directed, entries)?;
        Ok(Expansion { collectives, traffic })
    }

    /// Two all-reduces of the activations in the forward pass of each layer and two in the backward
    /// pass (Shoeybi et al., "Megatron-LM", arXiv:1909.08053, section 3). With sequence parallelism
    /// each becomes a reduce-scatter and an all-gather of the same bytes (Korthikanti et al.,
    /// arXiv:2205.05198, section 4.2.2).
    fn tensor(&self, over: &Parallelism) -> Vec<Collective> {
        let layers = u64::from(self.layers / over.pipeline);
        vec![Collective {
            purpose: "tensor parallel activations",
            operation: Operation::AllReduce,
            algorithm: self.algorithm,
            groups: over.groups(&[Dimension::Tensor]),
            bytes: self.activations(over),
            calls: 4 * layers * u64::from(self.micro_batches),
        }]
    }

    /// Keys and values go around the ring in the forward pass; in the backward pass they do so
    /// again with their gradients: n − 1 shifts of two, then of four blocks for each layer (Liu,
    /// Zaharia and Abbeel, "Ring attention with blockwise transformers", arXiv:2310.01889,
    /// section 3).
    fn context(&self, over: &Parallelism) -> Vec<Collective> {
        let layers = u64::from(self.layers / over.pipeline);
        let block = u128::from(self.activations(over))
            * u128::from(or(self.key_value, self.hidden))
            / u128::from(self.hidden);
        vec![Collective {
            purpose: "context parallel keys and values",
            operation: Operation::Shift,
            algorithm: self.algorithm,
            groups: over.groups(&[Dimension::Context]),
            bytes: (block.div_ceil(over.tensor.into())) as u64,
            calls: 6 * layers * u64::from(self.micro_batches) * u64::from(over.context - 1),
        }]
    }

    /// Activations to the next stage and their gradients back, for each micro-batch; each tensor
    /// rank sends its n-th (the scatter/gather of Narayanan et al., "Efficient large-scale language
    /// model training on GPU clusters using Megatron-LM", SC 2021, section 4.1). With v chunks all
    /// is v times as much, and the last stage sends to the first v − 1 times (section 2.2).
    fn pipeline(&self, over: &Parallelism) -> Vec<Collective> {
        let groups = over.groups(&[Dimension::Pipeline]);
        let bytes = self.activations(over).div_ceil(over.tensor.into());
        let (batches, chunks) = (u64::from(self.micro_batches), u64::from(self.chunks));
        let stage = |purpose, operation, groups: &[Vec<u32>], calls| Collective {
            purpose,
            operation,
            algorithm: self.algorithm,
            groups: groups.to_vec(),
            bytes,
            calls,
        };
        let wraps = groups.iter().filter_map(|group| Some(vec![*group.last()?, group[0]]));
        let wraps: Vec<Vec<u32>> = wraps.filter(|pair| pair[0] != pair[1]).collect();
        vec![
            stage("pipeline activations", Operation::Chain, &groups, batches * chunks),
            stage("pipeline gradients", Operation::ChainBack, &groups, batches * chunks),
            stage("pipeline wrap activations", Operation::Chain, &wraps, batches * (chunks - 1)),
            stage("pipeline wrap gradients", Operation::ChainBack, &wraps, batches * (chunks - 1)),
        ]
    }

    /// Tokens to their experts and back, in both passes: four all-to-alls of k times the
    /// activations for each layer with experts (Lepikhin et al., "GShard", arXiv:2006.16668,
    /// section 3.2), tokens taken as spread evenly; each tensor rank sends its n-th.
    fn experts(&self, over: &Parallelism) -> Vec<Collective> {
        let layers = u64::from(self.expert_layers() / over.pipeline);
        let tokens = self.activations(over).div_ceil(over.tensor.into());
        vec![Collective {
            purpose: "expert parallel tokens",
            operation: Operation::AllToAll,
            algorithm: self.algorithm,
            groups: self.expert_groups(over),
            bytes: tokens.saturating_mul(self.experts_per_token.into()),
            calls: 4 * layers * u64::from(self.micro_batches),
        }]
    }

    fn expert_groups(&self, over: &Parallelism) -> Vec<Vec<u32>> {
        let groups = over.groups(&[Dimension::Data]);
        groups.iter().flat_map(|g| g.chunks(over.expert as usize).map(<[u32]>::to_vec)).collect()
    }

    /// Gradients are summed once in an iteration, over data and context ranks; those of experts
    /// over the ranks that hold the same ones. A distributed optimizer's reduce-scatter and
    /// all-gather are the same bytes (Rajbhandari et al., "ZeRO", SC 2020, section 7.1).
    fn gradients(&self, over: &Parallelism) -> Vec<Collective> {
        let (shared, experts) = self.parameters();
        let split = u64::from(over.tensor) * u64::from(over.pipeline);
        let bytes = |parameters: u64, split: u64| {
            parameters.div_ceil(split).saturating_mul(self.gradient_bytes.into())
        };
        let all = over.groups(&[Dimension::Context, Dimension::Data]);
        let sum = |purpose, groups, bytes| Collective {
            purpose,
            operation: Operation::AllReduce,
            algorithm: self.algorithm,
            groups,
            bytes,
            calls: 1,
        };
        if experts == 0 {
            return vec![sum("data parallel gradients", all, bytes(shared, split))];
        }
        // Every expert-th data rank holds the same experts; all context ranks of it do.
        let (width, step) = (over.context as usize, over.expert as usize);
        let same = all.iter().flat_map(|group| {
            (0..step).map(move |first| {
                group.chunks(width).skip(first).step_by(step).flatten().copied().collect()
            })
        });
        let same: Vec<Vec<u32>> = same.collect();
        let held = split.saturating_mul(over.expert.into());
        vec![
            sum("data parallel gradients", all, bytes(shared, split)),
            sum("expert gradients", same, bytes(experts, held)),
        ]
    }
}

/// The number, or another if it is 0.
fn or(value: u32, otherwise: u32) -> u32 {
    if value == 0 { otherwise } else { value }
}
